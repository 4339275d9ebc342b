//! Links between the documents.

use crate::markdown::{documents, path, read};

/// The destinations of all links in a document.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn has_anchor(text: &str, wanted: &str) -> bool {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings.map(anchor).any(|found| found == wanted)
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    for (name, text) in documents() {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let destination = if file.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{file}").trim_start_matches('/').to_owned()
            };
            assert!(path(&destination).exists(), "{name}: {link}");
            assert!(heading.is_empty() || has_anchor(&read(&destination), heading), "{name}: no heading for {link}");
        }
    }
}
