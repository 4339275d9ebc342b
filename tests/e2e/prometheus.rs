//! Debian's Prometheus with one target, scraped every second.

use std::{collections::BTreeMap, fs, process::Command};

use serde_json::Value;
use tempfile::TempDir;
use url::form_urlencoded::byte_serialize;

use crate::{
    http::get,
    process::{Running, wait_for},
    setup::folder,
};

/// The labels of a series and its value.
pub(crate) type Sample = (BTreeMap<String, String>, String);

pub(crate) struct Prometheus {
    address: String,
    _process: Running,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one and waits for the first scrape.
    pub(crate) fn scraping(target: &str) -> Prometheus {
        Prometheus::scraping_with(target, "scheme: http")
    }

    /// The same with additional scrape settings in YAML.
    pub(crate) fn scraping_with(target: &str, settings: &str) -> Prometheus {
        let prometheus = Prometheus::start(target, settings);
        wait_for("a scrape that succeeds", || (prometheus.value("up")? == "1").then_some(()));
        prometheus
    }

    /// The error of a failing scrape.
    pub(crate) fn error_of_scraping(target: &str, settings: &str) -> String {
        let prometheus = Prometheus::start(target, settings);
        wait_for("a scrape that fails", || (prometheus.value("up")? == "0").then_some(()));
        prometheus.last_error()
    }

    fn start(target: &str, settings: &str) -> Prometheus {
        let folder = folder();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs: [{{job_name: atlas, static_configs: [{{targets: ['{target}']}}], {settings}}}]
"
        );
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        let mut command = Command::new("prometheus");
        command.current_dir(folder.path()).args([
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            "--web.listen-address=127.0.0.1:0",
        ]);
        let process = Running::start(command);
        let address = process.word_after("msg=\"Listening on\" address=");
        Prometheus { address, _process: process, _folder: folder }
    }

    /// The result of an instant query.
    pub(crate) fn query(&self, query: &str) -> Vec<Sample> {
        let encoded: String = byte_serialize(query.as_bytes()).collect();
        let answer = self.api(&format!("query?query={encoded}"));
        let samples = answer["result"].as_array().unwrap().iter();
        samples.map(|sample| (labels(&sample["metric"]), text(&sample["value"][1]))).collect()
    }

    /// The value, if there is exactly one series.
    pub(crate) fn value(&self, query: &str) -> Option<String> {
        match self.query(query).as_slice() {
            [(_, value)] => Some(value.clone()),
            _ => None,
        }
    }

    /// The error of the last scrape; empty if it succeeded.
    pub(crate) fn last_error(&self) -> String {
        let targets = self.api("targets");
        let [target] = targets["activeTargets"].as_array().unwrap().as_slice() else { panic!("{targets}") };
        text(&target["lastError"])
    }

    /// The metrics of Prometheus itself.
    pub(crate) fn own_metrics(&self) -> String {
        get(&self.address, "/metrics").text().to_owned()
    }

    fn api(&self, path: &str) -> Value {
        // Prometheus returns 503 until it has loaded its data.
        wait_for("an answer of Prometheus", || {
            let answer = get(&self.address, &format!("/api/v1/{path}"));
            match answer.status {
                503 => None,
                200 => Some(answer.json()["data"].take()),
                _ => panic!("{path}: {}", answer.text()),
            }
        })
    }
}

fn labels(metric: &Value) -> BTreeMap<String, String> {
    metric.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
