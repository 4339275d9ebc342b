//! The page about the web config against its parser.

use std::{collections::BTreeSet, path::Path};

use web_config::WebConfig;

use crate::markdown::{keys, read, section};

const LEVELS: [(&str, &str); 4] = [
    ("", "### The whole file"),
    ("tls_server_config.", "### `tls_server_config`"),
    ("http_server_config.", "### `http_server_config`"),
    ("rate_limit.", "### `rate_limit`"),
];

#[test]
fn every_key_of_the_web_config_is_documented_and_no_other() {
    let page = read("docs/web.md");
    let text = "{x: 1, tls_server_config: {x: 1}, http_server_config: {x: 1}, rate_limit: {x: 1}}";
    let error = WebConfig::parse(text, Path::new("")).err().unwrap();
    for (level, heading) in LEVELS {
        let fault = error.faults.iter().find(|fault| fault.path == format!("{level}x")).unwrap();
        let known = fault.message.strip_prefix("unknown key; known here: ").unwrap();
        let known: BTreeSet<String> = known.split(", ").map(str::to_owned).collect();
        let documented = keys(section(&page, heading));
        assert_eq!(documented.len(), known.len(), "a key of {heading} is there twice or missing");
        assert_eq!(BTreeSet::from_iter(documented), known, "{heading}");
    }
}
