//! Discovery: which of the groups that a credential can see are polled.

use std::time::Duration;

use regex::{Regex, RegexBuilder};

use atlas::{self, GroupId, OrgId, Provider};
use yaml_reader::{Presence, Section, Shown};

/// The default: groups rarely change, and a list of all costs one request.
const INTERVAL: Duration = Duration::from_secs(10 * 60);

/// The memory limit of a compiled pattern; realistic patterns need a tenth of it.
const MAX_PATTERN: usize = 1 << 20;

/// The maximum size of the cache that a pattern uses while it matches, in bytes; names and tags are short.
const MAX_PATTERN_CACHE: usize = 1 << 18;

/// The maximum number of patterns in a config. Each takes memory and time up to its limit.
pub(super) const MAX_PATTERNS: usize = 200;

/// The settings of discovery.
#[derive(Clone, Debug, PartialEq)]
pub struct Discover {
    /// Limits discovery to this organization; if none, to what the credential can see.
    pub organization: Option<OrgId>,
    /// The time between two discoveries.
    pub interval: Duration,
    /// The providers to poll in each group, without duplicates; at least one.
    pub providers: Vec<Provider>,
    /// If not empty, only groups that match one of these.
    include: Vec<Selector>,
    /// No group that matches one of these.
    exclude: Vec<Selector>,
}

/// Matches a group if every condition holds.
#[derive(Clone, Debug, PartialEq)]
struct Selector {
    id: Option<GroupId>,
    name: Option<Pattern>,
    tags: Vec<(String, Pattern)>,
}

/// A regular expression, fully anchored as in Prometheus.
#[derive(Clone, Debug)]
struct Pattern(Regex);

impl Default for Discover {
    fn default() -> Self {
        Self {
            organization: None,
            interval: INTERVAL,
            providers: Provider::ALL.to_vec(),
            include: Vec::new(),
            exclude: Vec::new(),
        }
    }
}

impl Discover {
    /// `patterns_left` is how many more patterns the config may have.
    pub(super) fn parse(mut section: Section<'_>, patterns_left: &mut usize) -> Self {
        section.require_value(&["organization", "providers"]);
        let range = Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60);
        let discover = Self {
            organization: section.parsed("organization"),
            interval: section.duration("interval", INTERVAL, range),
            providers: providers(&mut section),
            include: selectors(&mut section, "include", patterns_left),
            exclude: selectors(&mut section, "exclude", patterns_left),
        };
        section.finish();
        discover
    }

    /// Whether to poll the group.
    #[must_use]
    pub fn selects(&self, group: &atlas::Group) -> bool {
        let any = |selectors: &[Selector]| selectors.iter().any(|selector| selector.matches(group));
        (self.include.is_empty() || any(&self.include)) && !any(&self.exclude)
    }
}

impl Selector {
    fn matches(&self, group: &atlas::Group) -> bool {
        self.id.as_ref().is_none_or(|id| *id == group.id)
            && self.name.as_ref().is_none_or(|name| name.0.is_match(&group.name))
            && self.tags.iter().all(|(key, value)| group.tags.get(key).is_some_and(|tag| value.0.is_match(tag)))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, String> {
        let build = |pattern: &str| {
            RegexBuilder::new(pattern).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN_CACHE).build()
        };
        // First on its own: `a)(b` is invalid, but would become valid inside the parentheses.
        let whole = build(text).and_then(|_| build(&format!("^(?s:{text})$")));
        whole.map(Self).map_err(|error| {
            // The library's messages have several lines; the last one describes the error.
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").trim_end_matches('.').to_owned()
        })
    }
}

fn selectors(section: &mut Section<'_>, key: &'static str, patterns_left: &mut usize) -> Vec<Selector> {
    let is_there = section.presence(key) != Presence::Absent;
    let sections = section.sections(key);
    if is_there && sections.is_empty() {
        section.fault(key, "must have at least one entry; otherwise remove it");
    }
    sections.into_iter().map(|section| selector(section, patterns_left)).collect()
}

fn selector(mut section: Section<'_>, patterns_left: &mut usize) -> Selector {
    section.require_value(&["id", "name", "tags"]);
    let id = section.parsed("id");
    let name = section.text("name").and_then(|text| pattern(&section, "name", &text, patterns_left));
    let tags = section.texts("tags").into_iter();
    let tags: Vec<_> = tags
        .filter_map(|(key, text)| {
            Some((key.clone(), pattern(&section, &format!("tags.{}", Shown::from(&*key)), &text, patterns_left)?))
        })
        .collect();
    if !["id", "name", "tags"].iter().any(|key| section.is_set(key)) {
        section.fault_here("must have an `id`, a `name` or `tags`");
    }
    section.finish();
    Selector { id, name, tags }
}

fn pattern(section: &Section<'_>, key: &str, text: &str, patterns_left: &mut usize) -> Option<Pattern> {
    let Some(left) = patterns_left.checked_sub(1) else {
        section.fault(key, format!("exceeds the limit of {MAX_PATTERNS} patterns"));
        return None;
    };
    *patterns_left = left;
    Pattern::parse(text)
        .map_err(|message| section.fault(key, format!("`{}` is not a valid pattern: {message}", Shown::from(text))))
        .ok()
}

/// The key `providers`: all of them if it is absent.
pub(super) fn providers(section: &mut Section<'_>) -> Vec<Provider> {
    let is_there = section.is_set("providers");
    let items = section.items("providers");
    if !is_there {
        return Provider::ALL.to_vec();
    }
    let mut providers = Vec::new();
    for (_, item) in &items {
        match item.as_str().map(str::parse::<Provider>) {
            Some(Ok(provider)) if providers.contains(&provider) => {
                section.fault("providers", format!("{provider} is listed twice"));
            }
            Some(Ok(provider)) => providers.push(provider),
            _ => section.fault("providers", "must be a list of `AWS`, `AZURE` and `GCP`"),
        }
    }
    if items.is_empty() {
        section.fault("providers", "must have at least one entry; remove it for all three");
    }
    providers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_needs_a_matching_include_and_no_matching_exclude() {
        let prod = "include: [{name: '.*-prod'}]";
        let either = "include: [{name: a|b}]";
        let odd = "include: [{name: 'shop.*', tags: {env: production}}, {id: 5E57D85C854180642F784401, name: odd}]";
        let except = "{include: [{name: '.*'}], exclude: [{tags: {env: ignore|none}}, {name: sandbox-.*}]}";
        for (yaml, name, tags, expected) in [
            ("", "anything", "", true),
            (prod, "payments-prod", "", true),
            (prod, "payments-prod-old", "", false),
            (either, "ab", "", false),
            (either, "b", "", true),
            ("include: [{name: a}]", "a\n", "", false),
            (odd, "shop", "{env: production, team: x}", true),
            (odd, "shop", "{env: test}", false),
            (odd, "shop", "", false),
            (odd, "odd", "", true),
            (except, "shop", "", true),
            (except, "shop", "{env: none}", false),
            (except, "sandbox-1", "", false),
        ] {
            let faults = yaml_reader::ConfigFaults::default();
            let value = serde_yaml::from_str(yaml).unwrap();
            let discover = Discover::parse(Section::new(&value, String::new(), &faults), &mut 10);
            assert_eq!(faults.into_result(), Ok(Vec::new()));
            let group = atlas::Group {
                id: "5e57d85c854180642f784401".parse().unwrap(),
                name: name.to_owned(),
                org_id: String::new(),
                tags: serde_yaml::from_str::<Option<_>>(tags).unwrap().unwrap_or_default(),
            };
            assert_eq!(discover.selects(&group), expected, "{yaml} of {name:?} {tags}");
        }
    }

    #[test]
    fn a_pattern_must_be_valid_without_the_anchors() {
        assert!(Pattern::parse("a)(b").is_err());
    }
}
