//! What Atlas reports about a credential that it accepts.

use serde::Deserialize;

use super::wire::{FirstItems, LabelText, Lenient};

/// More roles than any real credential has; the rest is omitted.
const MAX_ROLES: usize = 20;

/// Longer role names are truncated to this many bytes.
const MAX_ROLE: usize = 100;

/// What Atlas reports about a credential that it accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "WireRoot")]
pub struct CredentialInfo {
    /// The roles of an API key, such as `ORG_READ_ONLY`, each once. Atlas reports none for a service account.
    pub roles: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireRoot {
    api_key: Lenient<WireApiKey>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireApiKey {
    roles: Lenient<FirstItems<Lenient<WireRole>, MAX_ROLES>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WireRole {
    role_name: LabelText<MAX_ROLE>,
}

impl From<WireRoot> for CredentialInfo {
    fn from(wire: WireRoot) -> Self {
        let roles = wire.api_key.0.roles.0.0.into_iter();
        let mut roles: Vec<String> = roles.filter_map(|role| role.0.role_name.0.kept).collect();
        roles.sort_unstable();
        roles.dedup();
        Self { roles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(json: &str) -> Vec<String> {
        serde_json::from_str::<CredentialInfo>(json).unwrap().roles
    }

    #[test]
    fn roles_are_read_whatever_else_is_there() {
        let role = r#"{"roleName":"ORG_READ_ONLY","orgId":"a"}"#;
        for others in ["7", "null", "[]", r#""ORG_OWNER""#, r#"{"roleName":7}"#, r#"{"roleName":null}"#, "{}", role] {
            for list in [format!("{role},{others}"), format!("{others},{role}")] {
                assert_eq!(roles(&format!(r#"{{"apiKey":{{"roles":[{list}]}}}}"#)), ["ORG_READ_ONLY"], "{list}");
            }
        }
        for json in [
            "{}",
            r#"{"apiKey":null}"#,
            r#"{"apiKey":7}"#,
            r#"{"apiKey":{}}"#,
            r#"{"apiKey":{"roles":null}}"#,
            r#"{"apiKey":{"roles":"ORG_OWNER"}}"#,
            r#"{"apiKey":{"roles":{"roleName":"ORG_OWNER"}}}"#,
        ] {
            assert!(roles(json).is_empty(), "{json}");
        }
        for json in ["7", "null", "\"x\"", ""] {
            assert!(serde_json::from_str::<CredentialInfo>(json).is_err(), "{json} is not Atlas's");
        }
    }

    #[test]
    fn roles_are_bounded() {
        let many: Vec<String> = (0..3000).map(|n| format!(r#"{{"roleName":"{n:0>500}"}}"#)).collect();
        let roles = roles(&format!(r#"{{"apiKey":{{"roles":[{}]}}}}"#, many.join(",")));
        // They are truncated to the same zeros.
        assert_eq!(roles, ["0".repeat(MAX_ROLE)]);
    }
}
