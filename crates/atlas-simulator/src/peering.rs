//! One peering as a scenario writes it and as each provider's dialect of the API shows it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Provider, period};

/// The age of a peering that has neither an id nor an age.
const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A peering: what a scenario says about it. Every key not named here goes to the client as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Peering {
    /// Whose network it peers with.
    pub provider: Provider,
    /// 24 hexadecimal digits; without it one is made that says the age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A name for the timeline and the control API; never sent to a client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How long ago it was created, where there is no id; 30 days unless told otherwise.
    #[serde(default, with = "period::age", skip_serializing_if = "Option::is_none")]
    pub age: Option<Duration>,
    /// Any word; sent under the provider's name for it.
    pub status: String,
    /// Any text; sent under the provider's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How many such peerings; `{n}` in a text or the name becomes the number of the copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// Everything else, under Atlas's own names.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// Which of two habits of the API apply.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Fields without a value are sent as null.
    pub(super) nulls: bool,
    /// v2 says the provider, v1.0 does not.
    pub(super) provider_name: bool,
}

impl Peering {
    /// A peering that has only a status.
    #[must_use]
    pub fn new(provider: Provider, status: &str) -> Peering {
        Peering {
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

    /// The same with this field, under Atlas's name for it.
    #[must_use]
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Peering {
        self.fields.insert(field.to_owned(), value.into());
        self
    }

    /// Gives it another status and error; nothing of the old ones is left, not even under Atlas's own names.
    pub(super) fn set_status(&mut self, status: &str, error: Option<&str>) {
        let (status_field, error_field) = self.provider.dialect();
        for field in [status_field, error_field, "errorMessage"] {
            self.fields.remove(field);
        }
        status.clone_into(&mut self.status);
        self.error = error.map(str::to_owned);
    }

    pub(super) fn age(&self) -> Duration {
        self.age.unwrap_or(DEFAULT_AGE)
    }

    /// The single peerings that this one stands for.
    pub(super) fn copies(&self) -> impl Iterator<Item = Peering> + '_ {
        (1..=self.repeat.unwrap_or(1)).map(|number| self.copy(number))
    }

    fn copy(&self, number: u32) -> Peering {
        let mut copy = Peering { repeat: None, ..self.clone() };
        if self.repeat.is_some() {
            let texts = copy.fields.values_mut().filter_map(|value| match value {
                Value::String(text) => Some(text),
                _ => None,
            });
            for text in texts.chain(&mut copy.name) {
                *text = text.replace("{n}", &number.to_string());
            }
        }
        copy
    }

    /// What a client is sent.
    pub(super) fn body(&self, id: &str, shape: Shape) -> Value {
        let (status, error) = self.provider.dialect();
        let mut body = Map::new();
        if shape.nulls {
            for field in self.provider.documented_fields() {
                body.insert((*field).to_owned(), Value::Null);
            }
            body.insert(error.to_owned(), Value::Null);
        }
        if shape.provider_name {
            body.insert("providerName".to_owned(), self.provider.name().into());
        }
        if let Some(text) = &self.error {
            body.insert(error.to_owned(), text.as_str().into());
        }
        body.insert("id".to_owned(), id.into());
        body.insert(status.to_owned(), self.status.as_str().into());
        // Last, so that a scenario can overrule any field with an odd value.
        body.extend(self.fields.clone());
        Value::Object(body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const V2: Shape = Shape { nulls: false, provider_name: true };

    fn failed(provider: Provider) -> Peering {
        Peering { error: Some("REJECTED".to_owned()), ..Peering::new(provider, "FAILED") }
    }

    #[test]
    fn aws_says_status_name_and_error_state_name() {
        assert_eq!(
            failed(Provider::Aws).body("a", V2),
            json!({"id": "a", "providerName": "AWS", "statusName": "FAILED", "errorStateName": "REJECTED"})
        );
    }

    #[test]
    fn azure_says_status_and_error_state() {
        assert_eq!(
            failed(Provider::Azure).body("a", V2),
            json!({"id": "a", "providerName": "AZURE", "status": "FAILED", "errorState": "REJECTED"})
        );
    }

    #[test]
    fn gcp_says_status_and_error_message_and_nulls_when_told() {
        let shape = Shape { nulls: true, provider_name: false };
        let peering = Peering::new(Provider::Gcp, "AVAILABLE").with("networkName", "default");
        assert_eq!(
            peering.body("a", shape),
            json!({
                "id": "a", "status": "AVAILABLE", "networkName": "default",
                "containerId": null, "gcpProjectId": null, "errorMessage": null
            })
        );
    }

    #[test]
    fn unknown_fields_and_odd_values_pass_through() {
        let yaml = "{provider: AWS, status: AVAILABLE, statusName: null, shiny: {new: [1]}}";
        let peering: Peering = serde_yaml::from_str(yaml).unwrap();
        assert_eq!(
            peering.body("a", V2),
            json!({"id": "a", "providerName": "AWS", "statusName": null, "shiny": {"new": [1]}})
        );
    }

    #[test]
    fn copies_are_numbered() {
        let yaml = "{provider: AWS, status: AVAILABLE, repeat: 2, vpcId: 'vpc-{n}'}";
        let peering: Peering = serde_yaml::from_str(yaml).unwrap();
        let vpcs: Vec<_> = peering.copies().map(|copy| copy.fields["vpcId"].clone()).collect();
        assert_eq!(vpcs, ["vpc-1", "vpc-2"]);
    }
}
