//! An Alertmanager that receives alerts from the test and sends no notifications.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    http::{Connection, get},
    process::{Running, wait_for},
};

pub(crate) struct Alertmanager {
    address: String,
    _program: Running,
    _folder: TempDir,
}

impl Alertmanager {
    /// Starts it with these inhibitions, and another one that shows which alerts it has processed.
    pub(crate) fn start(mut inhibitions: Vec<Value>) -> Self {
        inhibitions.push(
            json!({"source_matchers": ["mark = source"], "target_matchers": ["mark = target"], "equal": ["number"]}),
        );
        let config = json!({
            "route": {"receiver": "nobody"},
            "receivers": [{"name": "nobody"}],
            "inhibit_rules": inhibitions,
        });
        let folder = TempDir::new().unwrap();
        // Any JSON is YAML.
        fs::write(folder.path().join("alertmanager.yaml"), config.to_string()).unwrap();
        let mut command = Command::new("prometheus-alertmanager");
        command.args(["--config.file=alertmanager.yaml", "--storage.path=alertmanager"]);
        command.args(["--web.listen-address=127.0.0.1:0", "--cluster.listen-address="]).current_dir(folder.path());
        let program = Running::start(command);
        let address = program.word_after("msg=\"Listening on\" address=");
        let alertmanager = Self { address, _program: program, _folder: folder };
        // It listens before it processes alerts, and processes those of that time in any order.
        alertmanager.catch_up("1");
        alertmanager
    }

    /// Sends alerts, and returns the `case` and `row` of those that are inhibited.
    pub(crate) fn inhibited(&self, alerts: Vec<BTreeMap<String, String>>) -> BTreeSet<(String, String)> {
        let posted = alerts.len();
        self.post(&alerts.into_iter().map(|labels| json!({"labels": labels})).collect());
        self.catch_up("2");
        let all = self.alerts("filter=row!%3D%22%22");
        assert_eq!(all.len(), posted);
        let text = |alert: &Value, label: &str| alert["labels"][label].as_str().unwrap().to_owned();
        let inhibited = all.iter().filter(|alert| alert["status"]["state"] == "suppressed");
        inhibited.map(|alert| (text(alert, "case"), text(alert, "row"))).collect()
    }

    /// Waits until it has processed all earlier alerts, which it does in order.
    fn catch_up(&self, number: &str) {
        let mark = |mark| json!({"labels": {"alertname": "Mark", "mark": mark, "number": number}});
        self.post(&json!([mark("source"), mark("target")]));
        let filter = format!("active=false&filter=number%3D%22{number}%22");
        wait_for("Alertmanager to catch up", || (!self.alerts(&filter).is_empty()).then_some(()));
    }

    fn post(&self, alerts: &Value) {
        let mut connection = Connection::open(&self.address);
        let headers = "Content-Type: application/json\r\nConnection: close\r\n";
        connection.send("POST", "/api/v2/alerts", headers, &alerts.to_string());
        let response = connection.receive("POST").unwrap();
        assert_eq!(response.status, 200, "{}", response.text());
    }

    fn alerts(&self, parameters: &str) -> Vec<Value> {
        let response = get(&self.address, &format!("/api/v2/alerts?{parameters}"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.json().as_array().unwrap().clone()
    }
}
