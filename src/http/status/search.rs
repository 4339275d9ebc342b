//! Which rows are asked for.

use url::form_urlencoded;

/// So much of what is typed counts; no name is longer.
const MAX_WORDS: usize = 8;

/// What the address of the page says after `?`: `q`, the words to search for, and which part of a long table to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// As it was typed, as far as it counts.
    pub(super) text: String,
    /// In lower case; every one of them must be somewhere in a row.
    words: Vec<String>,
    /// `part`: which part of the peerings to show, from 1.
    pub(super) part: usize,
    /// `targets`: which part of the targets to show, from 1.
    pub(super) targets: usize,
}

impl Search {
    pub(super) fn parse(query: &str) -> Self {
        let mut search = Self { part: 1, targets: 1, ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => {
                    let words: Vec<&str> = value.split_whitespace().take(MAX_WORDS).collect();
                    search.text = words.join(" ");
                    search.words = words.iter().map(|word| word.to_lowercase()).collect();
                }
                "part" => search.part = value.parse().unwrap_or(1).max(1),
                "targets" => search.targets = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        search
    }

    /// Whether every word is somewhere in these texts.
    pub(super) fn finds(&self, texts: &[&str]) -> bool {
        self.words.is_empty() || {
            let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
            self.words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
        }
    }

    /// The address of another part.
    pub(super) fn address(&self, key: &str, part: usize) -> String {
        let mut address = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            address.append_pair("q", &self.text);
        }
        format!("?{}", address.append_pair(key, &part.to_string()).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_somewhere() {
        let search = Search::parse("q=+Pay+aws%20&part=3&x=y");
        assert_eq!((search.text.as_str(), search.part, search.targets), ("Pay aws", 3, 1));
        assert!(search.finds(&["payments", "AWS"]) && !search.finds(&["payments", "GCP"]));
        assert!(Search::parse("").finds(&[]) && !Search::parse("q=x").finds(&[]));
        assert_eq!(search.address("part", 4), "?q=Pay+aws&part=4");
    }

    #[test]
    fn nonsense_is_the_first_part_of_everything() {
        for query in ["part=0", "part=-1", "part=x", "q=%ff%00&part=99999999999999999999999", "&&=&;"] {
            let search = Search::parse(query);
            assert_eq!((search.part, search.targets), (1, 1), "{query}");
        }
        assert_eq!(Search::parse(&format!("q={}", "a+".repeat(1000))).words.len(), MAX_WORDS);
    }
}
