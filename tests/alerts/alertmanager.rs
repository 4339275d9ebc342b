//! An Alertmanager that is told of alerts by the test itself, and notifies nobody.

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
    /// With these inhibitions, and one of its own, by which it shows how far it is.
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
        // It listens before it heeds any alert; those that come by then it takes in any order.
        alertmanager.catch_up("1");
        alertmanager
    }

    /// The `case` and `row` of each of these alerts that is held back.
    pub(crate) fn held_of(&self, alerts: Vec<BTreeMap<String, String>>) -> BTreeSet<(String, String)> {
        let posted = alerts.len();
        self.post(&alerts.into_iter().map(|labels| json!({"labels": labels})).collect());
        self.catch_up("2");
        let all = self.alerts("filter=row!%3D%22%22");
        assert_eq!(all.len(), posted);
        let text = |alert: &Value, label: &str| alert["labels"][label].as_str().unwrap().to_owned();
        let held = all.iter().filter(|alert| alert["status"]["state"] == "suppressed");
        held.map(|alert| (text(alert, "case"), text(alert, "row"))).collect()
    }

    /// Waits until it heeds what it was told by now: it heeds one alert after another.
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
        let answer = connection.receive("POST").unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    fn alerts(&self, parameters: &str) -> Vec<Value> {
        let answer = get(&self.address, &format!("/api/v2/alerts?{parameters}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json().as_array().unwrap().clone()
    }
}
