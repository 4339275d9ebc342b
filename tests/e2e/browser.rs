//! Debian's Chromium, driven over the `WebDriver` protocol, which is JSON over HTTP.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    http::ask,
    process::{Running, wait_for},
};

/// The key of an element's ID in `WebDriver` responses.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A headless browser window, which is closed when this is dropped.
pub(crate) struct Browser {
    _driver: Running,
    address: String,
    session: String,
}

impl Browser {
    /// Starts with a new profile in the folder.
    pub(crate) fn start(folder: &Path, runs_scripts: bool) -> Browser {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Running::start(command);
        let port = driver.wait_for_output("the port", |output| {
            let rest = output.split("started successfully on port ").nth(1)?;
            rest.split_once('.').map(|(port, _)| port.to_owned())
        });
        let mut browser = Browser { _driver: driver, address: format!("127.0.0.1:{port}"), session: String::new() };
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1280,900",
        ];
        let profile = format!("--user-data-dir={}", folder.join("profile").display());
        let arguments: Vec<&str> = arguments.into_iter().chain([profile.as_str()]).collect();
        let scripts = if runs_scripts { 1 } else { 2 };
        let options = json!({
            "args": arguments,
            "prefs": {"profile.managed_default_content_settings.javascript": scripts},
        });
        let capabilities = json!({
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
        });
        let session = browser.post("session", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        browser.session = format!("session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let response = ask(&self.address, "POST", &format!("/{path}"), &body.to_string());
        assert_eq!(response.status, 200, "{path}: {}", response.text());
        response.json()["value"].take()
    }

    fn command(&self, name: &str, body: &Value) -> Value {
        self.post(&format!("{}/{name}", self.session), body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.command("url", &json!({"url": url}));
    }

    /// Runs a script, and returns its result.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.command("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns true.
    pub(crate) fn wait_until(&self, what: &str, script: &str) {
        wait_for(what, || (self.run(script) == json!(true)).then_some(()));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command("element", &json!({"using": "css selector", "value": selector}));
        format!("element/{}", found[ELEMENT].as_str().unwrap())
    }

    /// The visible text of an element. Waits until the element exists, because the page may be refreshing.
    pub(crate) fn text(&self, selector: &str) -> String {
        wait_for(selector, || {
            let query = json!({"using": "css selector", "value": selector}).to_string();
            let found = ask(&self.address, "POST", &format!("/{}/element", self.session), &query).json();
            let path = format!("/{}/element/{}/text", self.session, found["value"][ELEMENT].as_str()?);
            Some(ask(&self.address, "GET", &path, "").json()["value"].as_str()?.to_owned())
        })
    }

    pub(crate) fn write(&self, selector: &str, text: &str) {
        self.command(&format!("{}/value", self.element(selector)), &json!({"text": text}));
    }

    pub(crate) fn click(&self, selector: &str) {
        self.command(&format!("{}/click", self.element(selector)), &json!({}));
    }

    /// Emulates a screen of a size and a color scheme.
    pub(crate) fn emulate(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("goog/cdp/execute", &json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size}));
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("goog/cdp/execute", &json!({"cmd": "Emulation.setEmulatedMedia", "params": media}));
    }

    /// A screenshot, as PNG in base64.
    pub(crate) fn screenshot(&self) -> String {
        let response = ask(&self.address, "GET", &format!("/{}/screenshot", self.session), "");
        response.json()["value"].as_str().unwrap().to_owned()
    }

    /// Messages on the console since the last call, such as violations of the Content-Security-Policy.
    pub(crate) fn console_messages(&self) -> Vec<String> {
        let log = self.command("se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killing only the driver would leave the browser running.
        if !self.session.is_empty() {
            ask(&self.address, "DELETE", &format!("/{}", self.session), "");
        }
    }
}
