//! Which rows a query selects.

use url::form_urlencoded;

/// More words are ignored; no name has more.
const MAX_WORDS: usize = 8;

/// The query of the status page: `q`, the words to search for, and which part of a long table to show.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// The words as the user typed them.
    pub(super) text: String,
    /// In lower case. A row must contain all of them.
    words: Vec<String>,
    /// `part`: which part of the peerings to show, from 1.
    pub(super) peerings_part: usize,
    /// `targets`: which part of the listings to show, from 1.
    pub(super) listings_part: usize,
}

impl Search {
    pub(super) fn parse(query: &str) -> Self {
        let mut search = Self { peerings_part: 1, listings_part: 1, ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*key {
                "q" => {
                    let words: Vec<&str> = value.split_whitespace().take(MAX_WORDS).collect();
                    search.text = words.join(" ");
                    search.words = words.iter().map(|word| word.to_lowercase()).collect();
                }
                "part" => search.peerings_part = value.parse().unwrap_or(1).max(1),
                "targets" => search.listings_part = value.parse().unwrap_or(1).max(1),
                _ => {}
            }
        }
        search
    }

    /// Whether each word is in one of the texts.
    pub(super) fn matches<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> bool {
        self.words.is_empty() || {
            let texts: Vec<String> = texts.into_iter().map(str::to_lowercase).collect();
            self.words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
        }
    }

    /// The link to another part of a table.
    pub(super) fn link(&self, key: &str, part: usize) -> String {
        let mut link = form_urlencoded::Serializer::new(String::new());
        if !self.text.is_empty() {
            link.append_pair("q", &self.text);
        }
        format!("?{}", link.append_pair(key, &part.to_string()).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_must_contain_every_word() {
        let search = Search::parse("q=+Pay+aws%20&part=3&x=y");
        assert_eq!((search.text.as_str(), search.peerings_part, search.listings_part), ("Pay aws", 3, 1));
        assert!(search.matches(["payments", "AWS"]) && !search.matches(["payments", "GCP"]));
        assert!(Search::parse("").matches([]) && !Search::parse("q=x").matches([]));
        assert_eq!(search.link("part", 4), "?q=Pay+aws&part=4");
    }

    #[test]
    fn an_invalid_part_is_the_first() {
        for query in ["part=0", "part=-1", "part=x", "q=%ff%00&part=99999999999999999999999", "&&=&;"] {
            let search = Search::parse(query);
            assert_eq!((search.peerings_part, search.listings_part), (1, 1), "{query}");
        }
        assert_eq!(Search::parse(&format!("q={}", "a+".repeat(1000))).words.len(), MAX_WORDS);
    }
}
