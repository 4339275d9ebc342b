//! A real browser, Debian's Chromium, over the `WebDriver` protocol: JSON over HTTP, so it needs no library.

use std::{path::Path, process::Command};

use serde_json::{Value, json};

use crate::{
    http::ask,
    process::{Running, wait_for},
};

/// The name under which `WebDriver` hands over an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A window of a browser without a screen; it is closed when this is dropped.
pub(crate) struct Browser {
    _driver: Running,
    address: String,
    session: String,
}

impl Browser {
    /// With a profile in the folder, so that it finds nothing of others.
    pub(crate) fn start(folder: &Path, runs_scripts: bool) -> Browser {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let driver = Running::start(command);
        let port = driver.wait_for_output("the port", |said| {
            let rest = said.split("started successfully on port ").nth(1)?;
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
        let wish = json!({
            "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
        });
        let session = browser.post("session", &json!({"capabilities": {"alwaysMatch": wish}}));
        browser.session = format!("session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let answer = ask(&self.address, "POST", &format!("/{path}"), &body.to_string());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()["value"].take()
    }

    fn tell(&self, what: &str, body: &Value) -> Value {
        self.post(&format!("{}/{what}", self.session), body)
    }

    pub(crate) fn open(&self, url: &str) {
        self.tell("url", &json!({"url": url}));
    }

    /// What a script returns.
    pub(crate) fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a script returns true.
    pub(crate) fn wait_until(&self, what: &str, script: &str) {
        wait_for(what, || (self.run(script) == json!(true)).then_some(()));
    }

    fn element(&self, selector: &str) -> String {
        let found = self.tell("element", &json!({"using": "css selector", "value": selector}));
        format!("element/{}", found[ELEMENT].as_str().unwrap())
    }

    /// What a person reads there, once something is there: one page may just give way to another.
    pub(crate) fn text(&self, selector: &str) -> String {
        wait_for(selector, || {
            let wish = json!({"using": "css selector", "value": selector}).to_string();
            let found = ask(&self.address, "POST", &format!("/{}/element", self.session), &wish).json();
            let path = format!("/{}/element/{}/text", self.session, found["value"][ELEMENT].as_str()?);
            Some(ask(&self.address, "GET", &path, "").json()["value"].as_str()?.to_owned())
        })
    }

    pub(crate) fn write(&self, selector: &str, text: &str) {
        self.tell(&format!("{}/value", self.element(selector)), &json!({"text": text}));
    }

    pub(crate) fn click(&self, selector: &str) {
        self.tell(&format!("{}/click", self.element(selector)), &json!({}));
    }

    /// Pretends to be a screen of this size, light or dark.
    pub(crate) fn be(&self, width: u32, height: u32, scheme: &str) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.tell("goog/cdp/execute", &json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": size}));
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("goog/cdp/execute", &json!({"cmd": "Emulation.setEmulatedMedia", "params": media}));
    }

    /// A picture of what is seen, as PNG in base64.
    pub(crate) fn screenshot(&self) -> String {
        let answer = ask(&self.address, "GET", &format!("/{}/screenshot", self.session), "");
        answer.json()["value"].as_str().unwrap().to_owned()
    }

    /// What the browser complains about, such as a violated Content-Security-Policy, since it was last asked.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.tell("se/log", &json!({"type": "browser"}));
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Killing the driver alone would leave the browser behind.
        if !self.session.is_empty() {
            ask(&self.address, "DELETE", &format!("/{}", self.session), "");
        }
    }
}
