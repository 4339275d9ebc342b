//! Links between the pages.

use crate::markdown::{pages, path, read};

/// The targets of all links of a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The name by which a heading is linked to.
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
fn every_link_to_a_file_finds_it_and_its_heading() {
    for (name, text) in pages() {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() {
                name.clone()
            } else {
                format!("{folder}/{file}").trim_start_matches('/').to_owned()
            };
            assert!(path(&target).exists(), "{name}: {link}");
            assert!(heading.is_empty() || has_anchor(&read(&target), heading), "{name}: no heading for {link}");
        }
    }
}
