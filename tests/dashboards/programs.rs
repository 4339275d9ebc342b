//! The simulated Atlas, the exporter and Prometheus of one test.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use crate::prometheus::instant;

/// The exporter's config, without `base_url`.
const CONFIG: &str = "poll: {interval: 2s, timeout: 1s, deadline: 1500ms, max_staleness: 10m}
accounts:
  - client_id: mdb_sa_id_5f0000000000000000000002
    client_secret_file: secret
    credential_expires: 2037-01-31
    allow_http: true
    discover: {interval: 4s}
";

/// An alert, so that `ALERTS` has series.
const RULES: &str = "groups:
  - name: test
    rules:
      - alert: PeeringIsNotAvailable
        expr: min by (group_id, provider, vpcId, peering_id) (mongodbatlas_network_peering_available) == 0
        labels: {severity: page}
";

/// The time limit of each wait; the exporter polls every two seconds.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// The programs and the directory that they write to.
pub(crate) struct System {
    programs: Vec<Child>,
    folder: PathBuf,
    pub(crate) client: reqwest::Client,
    /// The addresses of the exporter. Prometheus treats each as a replica.
    pub(crate) replicas: Vec<String>,
    pub(crate) simulator: String,
    pub(crate) prometheus: String,
}

impl Drop for System {
    fn drop(&mut self) {
        for program in &mut self.programs {
            // Fails if the program has already exited.
            let _ = program.kill();
            let _ = program.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl System {
    /// Starts the exporter on two addresses, and waits until Prometheus has scraped the results of all polls from both.
    pub(crate) async fn start(test: &str, scenario: &str) -> Self {
        let mut system = Self::new(test);
        system.start_simulator(scenario).await;
        system.start_exporter().await;
        system.scraped().await
    }

    /// The same with the demo, as in `make demo`.
    pub(crate) async fn demo(test: &str) -> Self {
        let mut system = Self::new(test);
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command.args(["demo", "--simulator.listen-address=127.0.0.1:0"]);
        let log = system.listen(command).await;
        let mark = "break a peering: see http://";
        word(log.split(mark).nth(1).unwrap()).trim_end_matches("/simulator/").clone_into(&mut system.simulator);
        system.scraped().await
    }

    fn new(test: &str) -> Self {
        Self {
            programs: Vec::new(),
            folder: folder(test),
            client: reqwest::Client::new(),
            replicas: Vec::new(),
            simulator: String::new(),
            prometheus: String::new(),
        }
    }

    async fn scraped(mut self) -> Self {
        self.start_prometheus().await;
        let polled = instant(
            "min(mongodbatlas_peering_polls_total) > 0 and count(mongodbatlas_peering_exporter_build_info) == 2",
        );
        self.wait_for(&polled, |result| !result.is_empty()).await;
        self
    }

    async fn start_simulator(&mut self, scenario: &str) {
        let file = self.folder.join("scenario.yaml");
        fs::write(&file, scenario).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command.args(["simulate", "--simulator.listen-address=127.0.0.1:0"]);
        command.arg(format!("--simulator.scenario={}", file.display()));
        let log = self.spawn(&mut command, "simulator");
        let mark = "simulator listening on http://";
        let log = log_with(&log, |log| log.contains(mark)).await;
        word(log.split(mark).nth(1).unwrap()).trim_end_matches(';').clone_into(&mut self.simulator);
    }

    async fn start_exporter(&mut self) {
        fs::write(self.folder.join("secret"), "mdb_sa_sk_demo").unwrap();
        let file = self.folder.join("config.yaml");
        fs::write(&file, format!("{CONFIG}    base_url: http://{}\n", self.simulator)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
        command.arg("serve").arg(format!("--config.file={}", file.display()));
        self.listen(command).await;
    }

    /// Starts an exporter on two addresses, and returns its log.
    async fn listen(&mut self, mut command: Command) -> String {
        let command = command.args(["--web.listen-address=127.0.0.1:0", "--web.listen-address=127.0.0.1:0"]);
        let log = self.spawn(command, "exporter");
        let mark = " listening on ";
        let log = log_with(&log, |log| log.matches(mark).count() == 2).await;
        self.replicas = log.split(mark).skip(1).map(word).collect();
        log
    }

    async fn start_prometheus(&mut self) {
        fs::write(self.folder.join("rules.yaml"), RULES).unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [rules.yaml]
scrape_configs:
  - {{job_name: atlas, static_configs: [{{targets: {:?}, labels: {{namespace: monitoring}}}}]}}
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

    /// Kills the exporter, so that no replica can be scraped.
    pub(crate) fn kill_exporter(&mut self) {
        self.programs[1].kill().unwrap();
        self.programs[1].wait().unwrap();
    }

    /// Starts a program, and returns the path of its log.
    fn spawn(&mut self, command: &mut Command, name: &str) -> PathBuf {
        let path = self.folder.join(format!("{name}.log"));
        let log = File::create(&path).unwrap();
        let program = command.stdout(log.try_clone().unwrap()).stderr(log).spawn();
        self.programs.push(program.unwrap_or_else(|error| missing(name, &error)));
        path
    }
}

/// Fails with the command that installs the program.
pub(crate) fn missing(name: &str, error: &std::io::Error) -> ! {
    panic!("start {name}: {error}; `apt-get install prometheus` installs prometheus and promtool")
}

/// An empty directory for one run of one test.
pub(crate) fn folder(test: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dashboards-{test}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn word(text: &str) -> String {
    text.split_whitespace().next().unwrap_or_default().to_owned()
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
