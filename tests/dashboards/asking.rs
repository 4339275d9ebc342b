//! What is asked of the Prometheus, and told to the simulated Atlas.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{
    dashboard::{Query, list},
    programs::{DEADLINE, PAUSE, System},
};

impl System {
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

fn is_number(series: &Value) -> bool {
    let values = list(series, "/values").iter().chain(series.get("value"));
    values.into_iter().any(|sample| sample[1] != "NaN")
}
