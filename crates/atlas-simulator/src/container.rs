//! One container as a scenario writes it and as the API shows it: Atlas's side of the peerings of a region.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Provider;

/// A network container: what a scenario says about it. Every key not named here goes to the client as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// In whose cloud it is.
    pub provider: Provider,
    /// 24 hexadecimal digits; without it one is made. Peerings name it as their `containerId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Everything else, under Atlas's own names.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Container {
    /// A container that has only a provider.
    #[must_use]
    pub fn new(provider: Provider) -> Container {
        Container { provider, id: None, fields: Map::new() }
    }

    /// The same with this field, under Atlas's name for it.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Container {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// What a client is sent, in both versions alike.
    pub(super) fn body(&self, id: &str, nulls: bool) -> Value {
        let mut body = Map::new();
        if nulls {
            for field in self.provider.container_fields() {
                body.insert((*field).to_owned(), Value::Null);
            }
        }
        body.insert("id".to_owned(), id.into());
        body.insert("providerName".to_owned(), self.provider.name().into());
        // Last, so that a scenario can overrule any field with an odd value.
        body.extend(self.fields.clone());
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_shown_under_the_names_of_atlas() {
        let yaml = "{provider: AZURE, region: US_EAST_2, provisioned: true, shiny: [1]}";
        let container: Container = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(
            container.body("a", false),
            json!({"id": "a", "providerName": "AZURE", "region": "US_EAST_2", "provisioned": true, "shiny": [1]})
        );
    }

    #[test]
    fn what_is_not_there_yet_is_null_when_told() {
        let container = Container::new(Provider::Gcp).with("atlasCidrBlock", "192.168.0.0/18");
        assert_eq!(
            container.body("a", true),
            json!({
                "id": "a", "providerName": "GCP", "atlasCidrBlock": "192.168.0.0/18",
                "gcpProjectId": null, "networkName": null, "regions": null
            })
        );
    }
}
