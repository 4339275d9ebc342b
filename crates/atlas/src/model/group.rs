//! Groups, which the Atlas UI calls projects.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    id::GroupId,
    wire::{FirstItems, HasId, InvalidContent, LabelText, Text},
};

/// Longer IDs, names and tags are truncated to this many bytes: they become labels. An error would hide the group.
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
    id: Text<MAX_GROUP_FIELD>,
    name: LabelText<MAX_GROUP_FIELD>,
    org_id: LabelText<MAX_GROUP_FIELD>,
    tags: Option<FirstItems<WireTag, MAX_TAGS>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireTag {
    key: Text<MAX_GROUP_FIELD>,
    value: Text<MAX_GROUP_FIELD>,
}

impl HasId for WireGroup {
    fn id(&mut self) -> &mut Option<String> {
        &mut self.id.kept
    }
}

impl TryFrom<WireGroup> for Group {
    type Error = InvalidContent;

    fn try_from(wire: WireGroup) -> Result<Self, InvalidContent> {
        let tags = wire.tags.unwrap_or_default().0.into_iter();
        let tags = tags.filter_map(|tag| Some((tag.key.kept?, tag.value.kept.unwrap_or_default())));
        Ok(Self {
            id: wire.id.kept.unwrap_or_default().parse().map_err(|_| InvalidContent::GroupId)?,
            name: wire.name.into_cut(),
            org_id: wire.org_id.into_cut(),
            tags: tags.collect(),
        })
    }
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
        assert_eq!(group(&json).unwrap().name, "é".repeat(MAX_GROUP_FIELD / 2));
    }

    #[test]
    fn tags_are_bounded_and_strict() {
        let json = |tags: &str| format!(r#"{{"id":"b0123456789abcdef012345b","tags":[{tags}]}}"#);
        let many: Vec<String> = (0..5000).map(|n| format!(r#"{{"key":"k{n}","value":"v"}}"#)).collect();
        assert_eq!(group(&json(&many.join(","))).unwrap().tags.len(), MAX_TAGS);
        let long = json(&format!(r#"{{"key":"{0}","value":"{0}"}}"#, "x".repeat(5000)));
        let (key, value) = group(&long).unwrap().tags.pop_first().unwrap();
        assert_eq!((key.len(), value.len()), (MAX_GROUP_FIELD, MAX_GROUP_FIELD));
        for odd in [r#"{"key":7}"#, r#"{"key":"a","value":[]}"#, "7"] {
            assert!(serde_json::from_str::<WireGroup>(&json(odd)).is_err(), "{odd}");
        }
    }
}
