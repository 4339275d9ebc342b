//! Groups, which the Atlas UI calls projects.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    id::GroupId,
    wire::{HasId, InvalidContent, LabelText},
};

/// A longer name or tag is not real, and must not become a label.
const MAX_GROUP_FIELD: usize = 1024;

/// More tags than Atlas allows on any resource; the rest is omitted.
const MAX_TAGS: usize = 100;

/// A group, which the Atlas UI calls a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The ID.
    pub id: GroupId,
    /// The name. It may change, and may contain any character.
    pub name: String,
    /// The organization that it belongs to; empty if Atlas did not send it.
    pub org_id: String,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

/// Every field except the ID may be missing or null. Tags stay strict: they decide which groups are selected.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WireGroup {
    id: Option<String>,
    name: LabelText,
    org_id: LabelText,
    tags: Option<Vec<WireTag>>,
}

#[derive(Deserialize)]
struct WireTag {
    key: Option<String>,
    value: Option<String>,
}

impl HasId for WireGroup {
    fn id(&mut self) -> &mut Option<String> {
        &mut self.id
    }
}

impl TryFrom<WireGroup> for Group {
    type Error = InvalidContent;

    fn try_from(wire: WireGroup) -> Result<Self, InvalidContent> {
        let tags = wire.tags.into_iter().flatten().take(MAX_TAGS);
        let tags = tags.filter_map(|tag| Some((truncated(tag.key?), truncated(tag.value.unwrap_or_default()))));
        Ok(Self {
            id: wire.id.unwrap_or_default().parse().map_err(|_| InvalidContent::GroupId)?,
            name: truncated(wire.name.0.unwrap_or_default()),
            org_id: truncated(wire.org_id.0.unwrap_or_default()),
            tags: tags.collect(),
        })
    }
}

/// Truncates rather than fails: a long name must not hide a group.
fn truncated(text: String) -> String {
    if text.len() <= MAX_GROUP_FIELD { text } else { text.chars().take(MAX_GROUP_FIELD / 4).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(json: &str) -> Result<Group, InvalidContent> {
        serde_json::from_str::<WireGroup>(json).unwrap().try_into()
    }

    #[test]
    fn a_recorded_group_is_parsed() {
        let json = r#"{"clusterCount":5,"created":"2020-07-02T09:19:46Z","id":"B0123456789abcdef012345b","links":[],"name":"Shop, é & co","orgId":"a0123456789abcdef012345a","tags":[{"key":"env","value":"e2e"},{"key":"prod","value":"false"}],"withDefaultAlertsSettings":true}"#;
        let group = group(json).unwrap();
        assert_eq!((group.id.as_str(), group.name.as_str()), ("b0123456789abcdef012345b", "Shop, é & co"));
        assert_eq!(group.org_id, "a0123456789abcdef012345a");
        assert_eq!(group.tags, BTreeMap::from([("env", "e2e"), ("prod", "false")].map(|(k, v)| (k.into(), v.into()))));
    }

    #[test]
    fn every_field_but_the_id_may_be_missing_or_null() {
        for rest in [
            "",
            r#","name":7,"orgId":{}"#,
            r#","name":null,"orgId":null,"tags":null"#,
            r#","tags":[{"key":null},{"value":"x"}]"#,
        ] {
            let group = group(&format!(r#"{{"id":"b0123456789abcdef012345b"{rest}}}"#)).unwrap();
            assert_eq!((group.name.as_str(), group.org_id.as_str(), group.tags.len()), ("", "", 0));
        }
        for json in ["{}", r#"{"id":null}"#, r#"{"id":"../../orgs"}"#] {
            assert!(matches!(group(json), Err(InvalidContent::GroupId)), "{json}");
        }
    }

    #[test]
    fn an_overlong_name_is_truncated() {
        let json = format!(r#"{{"id":"b0123456789abcdef012345b","name":"{}"}}"#, "é".repeat(5000));
        assert_eq!(group(&json).unwrap().name.chars().count(), MAX_GROUP_FIELD / 4);
    }
}
