//! Queries to Prometheus, and changes to the simulated Atlas.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::{
    dashboard::{Query, list},
    programs::{DEADLINE, PAUSE, System},
};

impl System {
    /// Changes something in the simulated Atlas.
    pub(crate) async fn simulate(&self, path: &str, body: &str) {
        let url = format!("http://{}/simulator/{path}", self.simulator);
        let response = self.client.post(url).body(body.to_owned()).send().await.unwrap();
        assert!(response.status().is_success(), "{path}: {}", response.text().await.unwrap());
    }

    /// The result of a query, without series that contain only NaN.
    pub(crate) async fn query(&self, query: &Query) -> Vec<Value> {
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
        let result: Value = serde_json::from_str(&request.send().await.unwrap().text().await.unwrap()).unwrap();
        assert_eq!(result["status"], "success", "{}: {}\n{}", query.name, result["error"], query.expr);
        list(&result, "/data/result").iter().filter(|series| is_number(series)).cloned().collect()
    }

    /// Repeats a query until its result is as expected.
    pub(crate) async fn wait_for(&self, query: &Query, is_expected: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let start = Instant::now();
        loop {
            let result = self.query(query).await;
            if is_expected(&result) {
                return result;
            }
            assert!(start.elapsed() < DEADLINE, "{}: {result:#?}\n{}", query.name, query.expr);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// An instant query that is not from a dashboard.
pub(crate) fn instant(expr: &str) -> Query {
    Query { name: "test".to_owned(), expr: expr.to_owned(), is_range: false }
}

fn is_number(series: &Value) -> bool {
    let values = list(series, "/values").iter().chain(series.get("value"));
    values.into_iter().any(|sample| sample[1] != "NaN")
}
