//! The exporter's demo and a Prometheus that scrapes it, for as long as a test lasts.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;

use crate::dashboard::{Query, list};

/// How long anything may take; the exporter of the demo polls every five seconds.
const DEADLINE: Duration = Duration::from_secs(20);
const PAUSE: Duration = Duration::from_millis(100);

/// A folder of its own and the programs that write there.
pub(crate) struct System {
    programs: Vec<Child>,
    folder: PathBuf,
    client: reqwest::Client,
    /// The addresses of the exporter: to Prometheus each is a replica.
    pub(crate) replicas: Vec<String>,
    simulator: String,
    prometheus: String,
}

impl Drop for System {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // A program that ended by itself cannot be killed, and need not be.
            let _ = program.kill();
            let _ = program.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl System {
    /// The demo of the scenario on two addresses, and a Prometheus that has scraped every poll of both.
    pub(crate) async fn start(test: &str, scenario: &str) -> Self {
        let mut system = Self {
            programs: Vec::new(),
            folder: folder(test),
            client: reqwest::Client::new(),
            replicas: Vec::new(),
            simulator: String::new(),
            prometheus: String::new(),
        };
        system.start_demo(scenario).await;
        system.start_prometheus().await;
        let polled = at_once(
            "min(mongodbatlas_peering_polls_total) > 0 and count(mongodbatlas_peering_exporter_build_info) == 2",
        );
        system.wait_for(&polled, |answer| !answer.is_empty()).await;
        system
    }

    async fn start_demo(&mut self, scenario: &str) {
        let scenario_file = self.folder.join("scenario.yaml");
        fs::write(&scenario_file, scenario).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command
            .args(["demo", "--simulator.listen-address=127.0.0.1:0"])
            .args(["--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"])
            .arg(format!("--simulator.scenario={}", scenario_file.display()));
        let log = self.spawn(&mut command, "exporter");
        let log = log_with(&log, |log| log.contains("/simulator/") && log.matches(" listening on ").count() == 2).await;
        let after = |mark: &str| log.split(mark).skip(1).map(word).collect::<Vec<_>>();
        self.replicas = after(" listening on ");
        after("break a peering: see http://")[0].trim_end_matches("/simulator/").clone_into(&mut self.simulator);
    }

    async fn start_prometheus(&mut self) {
        let config = format!(
            "global: {{scrape_interval: 1s}}
scrape_configs:
  - {{job_name: atlas, static_configs: [{{targets: {:?}}}]}}
",
            self.replicas
        );
        let config_file = self.folder.join("prometheus.yaml");
        fs::write(&config_file, config).unwrap();
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", config_file.display()))
            .arg(format!("--storage.tsdb.path={}", self.folder.join("tsdb").display()))
            .arg("--web.listen-address=127.0.0.1:0");
        let log = self.spawn(&mut command, "prometheus");
        let mark = "msg=\"Listening on\" address=";
        let ready = "Server is ready";
        let log = log_with(&log, |log| log.contains(mark) && log.contains(ready)).await;
        self.prometheus = word(log.split(mark).nth(1).unwrap());
    }

    /// Starts a program; its log is in the file that is returned.
    fn spawn(&mut self, command: &mut Command, name: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.log"));
        let log = File::create(&path).unwrap();
        let program = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.programs.push(program.unwrap_or_else(|error| missing(name, &error)));
        path
    }

    /// The page of the first replica.
    pub(crate) async fn metrics(&self) -> String {
        let answer = self.client.get(format!("http://{}/metrics", self.replicas[0])).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Tells the simulator to change something.
    pub(crate) async fn simulate(&self, path: &str, body: &str) {
        let url = format!("http://{}/simulator/{path}", self.simulator);
        let answer = self.client.post(url).body(body.to_owned()).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap());
    }

    /// The series that Prometheus answers with, but for those that are no number all along.
    pub(crate) async fn ask(&self, query: &Query) -> Vec<Value> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("query", &query.expr);
        if query.is_range {
            form.append_pair("start", &(now - 300).to_string());
            form.append_pair("end", &now.to_string()).append_pair("step", "15");
        }
        let kind = if query.is_range { "query_range" } else { "query" };
        let request = self.client.post(format!("http://{}/api/v1/{kind}", self.prometheus));
        let request = request.header("Content-Type", "application/x-www-form-urlencoded").body(form.finish());
        let answer: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(answer["status"], "success", "{}: {}\n{}", query.name, answer["error"], query.expr);
        list(&answer, "/data/result").iter().filter(|series| is_number(series)).cloned().collect()
    }

    /// Asks until the answer is as it should be.
    pub(crate) async fn wait_for(&self, query: &Query, is_right: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let answer = self.ask(query).await;
            if is_right(&answer) {
                return answer;
            }
            assert!(start.elapsed() < DEADLINE, "{}: {answer:#?}\n{}", query.name, query.expr);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A query of a test's own.
pub(crate) fn at_once(expr: &str) -> Query {
    Query { name: "test".to_owned(), expr: expr.to_owned(), is_range: false }
}

/// Fails with the command that installs the program.
pub(crate) fn missing(name: &str, error: &std::io::Error) -> ! {
    panic!("start {name}: {error}; `apt-get install prometheus` installs prometheus and promtool")
}

/// An empty folder for one run of one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboards-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
}

fn is_number(series: &Value) -> bool {
    let values = list(series, "/values").iter().chain(series.get("value"));
    values.into_iter().any(|sample| sample[1] != "NaN")
}

async fn log_with(path: &Path, is_complete: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let log = fs::read_to_string(path).unwrap();
        if log.ends_with('\n') && is_complete(&log) {
            return log;
        }
        assert!(start.elapsed() < DEADLINE, "{}:\n{log}", path.display());
        tokio::time::sleep(PAUSE).await;
    }
}
