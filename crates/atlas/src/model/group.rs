//! The groups that a credential may see.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

use crate::{Client, ErrorKind, GroupId, ListError, OrgId, Resource, paging::pages::Item};

/// A longer name or tag is no real one, and would be a label.
const MAX_WORD: usize = 1024;

/// More tags than Atlas allows on anything; the rest is left out.
const MAX_TAGS: usize = 100;

/// A group, which Atlas's pages call a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// What people call it; it may change, and may hold any letter.
    pub name: String,
    /// The organization it belongs to; empty if Atlas did not say.
    pub org_id: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

impl Client {
    /// Lists every group that the credential may see, of one organization if it is named.
    ///
    /// # Errors
    /// The page that failed and why. Never later than `deadline`, repetitions included.
    pub async fn groups(
        &self,
        org: Option<&OrgId>,
        deadline: Duration,
        retries: usize,
    ) -> Result<Vec<Group>, ListError> {
        let resource = org.cloned().map_or(Resource::Groups, |org| Resource::OrgGroups { org });
        let all = self.all(resource, deadline, retries, WireGroup::parse).await?;
        Ok(all.results.into_iter().map(|entry| entry.group).collect())
    }
}

/// Every field may be missing or null, but without an id it is no group.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireGroup {
    id: Option<String>,
    name: Option<String>,
    org_id: Option<String>,
    tags: Option<Vec<Tag>>,
}

#[derive(Deserialize)]
struct Tag {
    key: Option<String>,
    value: Option<String>,
}

/// A group beside its id as text, which a listing tells it from others by.
struct Entry {
    id: String,
    group: Group,
}

impl Item for Entry {
    fn id(&mut self) -> &mut String {
        &mut self.id
    }
}

impl WireGroup {
    fn parse(self) -> Result<Entry, ErrorKind> {
        let id = self.id.unwrap_or_default();
        let group_id =
            id.parse().map_err(|_| ErrorKind::Content("a group's id is not 24 hexadecimal digits".to_owned()))?;
        let tags = self.tags.into_iter().flatten().take(MAX_TAGS);
        let tags = tags.filter_map(|tag| Some((word(tag.key?), word(tag.value.unwrap_or_default()))));
        let group = Group {
            id: group_id,
            name: word(self.name.unwrap_or_default()),
            org_id: word(self.org_id.unwrap_or_default()),
            tags: tags.collect(),
        };
        Ok(Entry { id, group })
    }
}

/// Cut rather than refused: no group should be missed for a long name.
fn word(text: String) -> String {
    if text.len() <= MAX_WORD { text } else { text.chars().take(MAX_WORD / 4).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(json: &str) -> Result<Group, ErrorKind> {
        serde_json::from_str::<WireGroup>(json).unwrap().parse().map(|entry| entry.group)
    }

    #[test]
    fn a_group_is_read_as_recorded() {
        let json = r#"{"clusterCount":5,"created":"2020-07-02T09:19:46Z","id":"B0123456789abcdef012345b","links":[],"name":"Shop, é & co","orgId":"a0123456789abcdef012345a","tags":[{"key":"env","value":"e2e"},{"key":"prod","value":"false"}],"withDefaultAlertsSettings":true}"#;
        let group = group(json).unwrap();
        assert_eq!((group.id.as_str(), group.name.as_str()), ("b0123456789abcdef012345b", "Shop, é & co"));
        assert_eq!(group.org_id, "a0123456789abcdef012345a");
        assert_eq!(group.tags, BTreeMap::from([("env", "e2e"), ("prod", "false")].map(|(k, v)| (k.into(), v.into()))));
    }

    #[test]
    fn all_but_the_id_may_be_missing_or_null() {
        for rest in ["", r#","name":null,"orgId":null,"tags":null"#, r#","tags":[{"key":null},{"value":"x"}]"#] {
            let group = group(&format!(r#"{{"id":"b0123456789abcdef012345b"{rest}}}"#)).unwrap();
            assert_eq!((group.name.as_str(), group.org_id.as_str(), group.tags.len()), ("", "", 0));
        }
        for json in ["{}", r#"{"id":null}"#, r#"{"id":"../../orgs"}"#] {
            assert!(matches!(group(json), Err(ErrorKind::Content(_))), "{json}");
        }
    }

    #[test]
    fn an_endless_name_is_cut_and_the_group_kept() {
        let json = format!(r#"{{"id":"b0123456789abcdef012345b","name":"{}"}}"#, "é".repeat(5000));
        assert_eq!(group(&json).unwrap().name.chars().count(), MAX_WORD / 4);
    }
}
