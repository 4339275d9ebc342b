//! A peering in a scenario, and in the API, which has field names of its own for each provider.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{duration_serde, provider::ScenarioProvider};

/// A peering. Keys that are not named here are sent to clients unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScenarioPeering {
    /// The provider of the peered network.
    pub provider: ScenarioProvider,
    /// 24 hexadecimal digits; by default generated from the age.
    pub id: Option<String>,
    /// A name for the timeline and the control API; never sent to a client.
    pub name: Option<String>,
    /// How long ago it was created, if there is no ID; 30 days by default.
    #[serde(default, deserialize_with = "duration_serde::deserialize_age")]
    pub age: Option<Duration>,
    /// Any text; sent under the provider's field name.
    pub status: String,
    /// Any text; sent under the provider's field name.
    pub error: Option<String>,
    /// The number of copies; `{n}` in a text field or the name becomes the number of the copy.
    pub repeat: Option<u32>,
    /// Everything else, under the names of Atlas.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// How the API shows peerings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// Fields without a value are sent as null.
    pub(crate) nulls: bool,
    /// v2 sends the provider, v1.0 does not.
    pub(crate) provider_name: bool,
}

impl ScenarioPeering {
    /// A peering with a status and no other field.
    #[must_use]
    pub fn new(provider: ScenarioProvider, status: &str) -> ScenarioPeering {
        ScenarioPeering {
            provider,
            id: None,
            name: None,
            age: None,
            status: status.to_owned(),
            error: None,
            repeat: None,
            fields: Map::new(),
        }
    }

    /// Adds a field under its name in Atlas.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> ScenarioPeering {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Replaces the status and error, including fields that the scenario set under the names of Atlas.
    pub(crate) fn set_status(&mut self, status: &str, error: Option<&str>) {
        let (status_field, error_field) = self.provider.status_fields();
        for field in [status_field, error_field, "errorMessage"] {
            self.fields.remove(field);
        }
        status.clone_into(&mut self.status);
        self.error = error.map(str::to_owned);
    }

    /// Its ID, and its name if it has one.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let name = self.name.as_deref().filter(|name| self.id.as_deref() != Some(name));
        self.id.as_deref().into_iter().chain(name)
    }

    /// The body in the API.
    pub(crate) fn body(&self, dialect: Dialect) -> Value {
        let (status, error) = self.provider.status_fields();
        let mut body = json!({"id": self.id, status: self.status});
        if dialect.nulls {
            for field in self.provider.documented_fields() {
                body[*field] = Value::Null;
            }
            body[error] = Value::Null;
        }
        if dialect.provider_name {
            body["providerName"] = self.provider.name().into();
        }
        if let Some(text) = &self.error {
            body[error] = text.as_str().into();
        }
        // Last, so that a scenario can override any field with an unusual value.
        for (field, value) in &self.fields {
            body[field] = value.clone();
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const V2: Dialect = Dialect { nulls: false, provider_name: true };

    #[test]
    fn each_provider_has_its_own_names_for_status_and_error() {
        for (provider, name, status, error) in [
            (ScenarioProvider::Aws, "AWS", "statusName", "errorStateName"),
            (ScenarioProvider::Azure, "AZURE", "status", "errorState"),
            (ScenarioProvider::Gcp, "GCP", "status", "errorMessage"),
        ] {
            let peering =
                ScenarioPeering { error: Some("REJECTED".to_owned()), ..ScenarioPeering::new(provider, "FAILED") };
            let expected = json!({"id": null, "providerName": name, status: "FAILED", error: "REJECTED"});
            assert_eq!(peering.body(V2), expected);
        }
    }

    #[test]
    fn missing_fields_can_be_null_and_other_fields_are_sent_unchanged() {
        let v1_with_nulls = Dialect { nulls: true, provider_name: false };
        let gcp = "{provider: GCP, status: AVAILABLE, networkName: default}";
        let nulls = json!({
            "id": null, "status": "AVAILABLE", "networkName": "default",
            "containerId": null, "gcpProjectId": null, "errorMessage": null
        });
        let aws = "{provider: AWS, status: AVAILABLE, statusName: null, shiny: {new: [1]}}";
        let unusual = json!({"id": null, "providerName": "AWS", "statusName": null, "shiny": {"new": [1]}});
        for (yaml, dialect, expected) in [(gcp, v1_with_nulls, nulls), (aws, V2, unusual)] {
            let peering: ScenarioPeering = serde_yaml::from_str(yaml).unwrap();
            assert_eq!(peering.body(dialect), expected);
        }
    }
}
