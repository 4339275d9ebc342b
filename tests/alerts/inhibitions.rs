//! Which alerts the Alertmanager example inhibits, and mutation tests of its inhibitions.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;

/// Every kind of alert that another one inhibits and, for each label of `equal`, an active alert that differs only in that
/// label. `x/exporter/prod` and the like are the namespace, the job and the account of an alert, and its
/// `exported_account` if there is one.
const TABLE: &str = "
# Stale data on a listing inhibits the alerts on its peerings, and no others.
active    AtlasPeeringDataStale         x/exporter/prod shop GCP
inhibited AtlasPeeringLost                              shop GCP p1
inhibited AtlasPeeringFailed                            shop GCP p1
active    AtlasPeeringLost                              shop AWS p1
active    AtlasPeeringLost                              bank GCP p1

# A critical alert on a peering inhibits the warnings on it.
inhibited AtlasPeeringFailed                            shop AWS p1
inhibited AtlasPeeringFlapping                          shop AWS p1
active    AtlasPeeringFailed                            shop AWS p2
active    AtlasPeeringFailed                            shop AZURE p1
active    AtlasPeeringFailed                            bank AWS p1
active    AtlasPeeringPollFailing       x/exporter/prod shop AWS
active    AtlasPeeringRequestExpiring                   shop AWS p3
inhibited AtlasPeeringPendingAcceptance                 shop AWS p3
active    AtlasPeeringPendingAcceptance                 shop AWS p2
active    AtlasPeeringPendingAcceptance                 shop AZURE p3
active    AtlasPeeringPendingAcceptance                 bank AWS p3

# Stale data on a listing inhibits the alert on polls that fail on some replicas.
inhibited AtlasPeeringPollFailing       x/exporter/prod shop GCP
active    AtlasPeeringPollFailing       x/exporter/prod bank GCP
active    AtlasPeeringPollFailing       x/exporter/test shop GCP
active    AtlasPeeringPollFailing       x/another/prod  shop GCP
active    AtlasPeeringPollFailing       y/exporter/prod shop GCP

# A blind account inhibits the alerts on its listings, which still inhibit those on their peerings.
active    AtlasAccountBlind             x/exporter/blind
inhibited AtlasPeeringDataStale         x/exporter/blind lake AWS
inhibited AtlasPeeringLost                               lake AWS p1
inhibited AtlasPeeringPollFailing       x/exporter/blind lake GCP
inhibited AtlasDiscoveryFailing         x/exporter/blind
inhibited AtlasTokenNotRenewed          x/exporter/blind
active    AtlasDiscoveryFailing         x/exporter/prod
active    AtlasDiscoveryFailing         x/another/blind
active    AtlasDiscoveryFailing         y/exporter/blind

# With a target label `account`, the exporter's own label tells the accounts apart.
active    AtlasAccountBlind             x/exporter/label/blind
inhibited AtlasTokenNotRenewed          x/exporter/label/blind
active    AtlasPeeringDataStale         x/exporter/label/prod hill AWS

# So does an account that monitors nothing.
active    AtlasAccountWatchesNothing    x/exporter/empty
inhibited AtlasPeeringDataStale         x/exporter/empty moon AWS
inhibited AtlasDiscoveryFailing         x/exporter/empty
inhibited AtlasTokenNotRenewed          x/exporter/empty

# So does an exporter that is down.
active    AtlasPeeringExporterDown      down/exporter/
inhibited AtlasPeeringDataStale         down/exporter/prod rock AWS
active    AtlasPeeringDataStale         down/another/prod  sand AWS
active    AtlasPeeringDataStale         x/exporter/prod    dust AWS

# So does a missing shard, which also inhibits the alert on its replica.
active    AtlasPeeringShardMissing      part/exporter/
inhibited AtlasPeeringDataStale         part/exporter/prod tree AWS
inhibited AtlasPeeringReplicaDown       part/exporter/
active    AtlasPeeringReplicaDown       part/another/
active    AtlasPeeringReplicaDown       x/exporter/

# A rejected credential inhibits the alert on the failing polls that it causes. It is a warning, so it must not inhibit
# the alert on stale data, which inhibits critical alerts.
active    AtlasCredentialRefused        x/exporter/refused
active    AtlasPeeringDataStale         x/exporter/refused leaf AWS
inhibited AtlasPeeringPollFailing       x/exporter/refused leaf GCP
inhibited AtlasDiscoveryFailing         x/exporter/refused
inhibited AtlasTokenNotRenewed          x/exporter/refused
active    AtlasTokenNotRenewed          x/exporter/prod
active    AtlasTokenNotRenewed          x/another/refused
active    AtlasTokenNotRenewed          y/exporter/refused
inhibited AtlasCredentialExpiring       x/exporter/refused
active    AtlasCredentialExpiring       x/exporter/prod
active    AtlasCredentialExpiring       x/another/refused
active    AtlasCredentialExpiring       y/exporter/refused

# So does an address that is not on the access list.
active    AtlasAddressNotOnAccessList   x/exporter/away
active    AtlasPeeringDataStale         x/exporter/away root AWS
inhibited AtlasPeeringPollFailing       x/exporter/away root GCP
inhibited AtlasDiscoveryFailing         x/exporter/away
";

/// The inhibitions of the example without one part. The states of some alerts of the table must differ.
struct Mutant {
    removed: String,
    inhibitions: Vec<Value>,
}

#[test]
fn each_inhibition_applies_to_the_right_alerts_and_each_of_its_parts_is_needed() {
    let shipped = shipped();
    let mut mutants = vec![Mutant { removed: "nothing".to_owned(), inhibitions: shipped.clone() }];
    mutants.extend(mutants_of(&shipped));
    let expected: Vec<_> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();

    // Every mutant has its own copy of every alert, marked with a label, so one Alertmanager is enough.
    let with_case = |(case, mutant): (usize, &Mutant)| {
        mutant.inhibitions.iter().map(|inhibition| of_case(inhibition, case)).collect::<Vec<_>>()
    };
    let alertmanager = Alertmanager::start(mutants.iter().enumerate().flat_map(with_case).collect());
    let severities = severities();
    let alerts = expected.iter().enumerate().flat_map(|(row, line)| {
        let alert = alert(line, &severities);
        (0..mutants.len()).map(move |case| {
            let mut labels = alert.clone();
            labels.insert("case".to_owned(), format!("c{case}"));
            labels.insert("row".to_owned(), row.to_string());
            labels
        })
    });
    let inhibited = alertmanager.inhibited(alerts.collect());

    let wrong = |case: usize| {
        let is_wrong = |(row, line): &(usize, &&str)| {
            is_inhibited(line) != inhibited.contains(&(format!("c{case}"), row.to_string()))
        };
        expected.iter().enumerate().filter(is_wrong).map(|(_, line)| *line).collect::<Vec<_>>()
    };
    assert_eq!(wrong(0), [""; 0], "the unchanged example");
    let survivors: Vec<_> =
        (1..mutants.len()).filter(|case| wrong(*case).is_empty()).map(|case| &mutants[case].removed).collect();
    assert_eq!(survivors, [""; 0], "no row of the table detects the removal");
    assert!(mutants.len() > 2 * shipped.len(), "too few mutants");
}

/// The inhibitions of the example.
fn shipped() -> Vec<Value> {
    let config = parse_yaml(include_str!("../../prometheus/alertmanager.example.yaml"));
    config["inhibit_rules"].as_array().unwrap().clone()
}

/// The severity of every alert in the rules.
fn severities() -> BTreeMap<String, String> {
    let rules = parse_yaml(include_str!("../../prometheus/rules.yaml"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let alerts = rules.filter(|rule| rule["alert"].is_string());
    alerts.map(|rule| (text(&rule["alert"]), text(&rule["labels"]["severity"]))).collect()
}

/// The inhibitions without one whole inhibition, without one label, and without one of several alert names.
fn mutants_of(shipped: &[Value]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (index, inhibition) in shipped.iter().enumerate() {
        let mut add = |what: String, instead: Option<Value>| {
            let mut inhibitions = shipped.to_vec();
            inhibitions.splice(index..=index, instead);
            mutants.push(Mutant { removed: format!("{what} of {inhibition}"), inhibitions });
        };
        add("all".to_owned(), None);
        for label in 0..inhibition["equal"].as_array().unwrap().len() {
            let mut without = inhibition.clone();
            let label = without["equal"].as_array_mut().unwrap().remove(label);
            add(label.to_string(), Some(without));
        }
        for side in ["source_matchers", "target_matchers"] {
            let matchers = inhibition[side].as_array().unwrap();
            assert_eq!(matchers.len(), 1, "mutants of several matchers are not implemented: {matchers:?}");
            let Some((before, names)) = matchers[0].as_str().unwrap().split_once("=~") else { continue };
            let names: Vec<_> = names.trim().trim_matches('"').split('|').collect();
            for removed in &names {
                let rest: Vec<_> = names.iter().filter(|name| *name != removed).copied().collect();
                let mut without = inhibition.clone();
                without[side] = json!([format!("{before}=~ \"{}\"", rest.join("|"))]);
                add(format!("{removed} in {side}"), Some(without));
            }
        }
    }
    mutants
}

/// The same inhibition, limited to alerts of this case.
fn of_case(inhibition: &Value, case: usize) -> Value {
    let mut inhibition = inhibition.clone();
    for side in ["source_matchers", "target_matchers"] {
        inhibition[side].as_array_mut().unwrap().push(format!("case = c{case}").into());
    }
    inhibition
}

fn is_inhibited(line: &str) -> bool {
    match line.split_once(' ') {
        Some(("inhibited", _)) => true,
        Some(("active", _)) => false,
        _ => panic!("neither active nor inhibited: {line}"),
    }
}

/// The labels of an alert in the table.
fn alert(line: &str, severities: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut words = line.split_whitespace().skip(1).peekable();
    let name = words.next().unwrap();
    let severity = severities.get(name).unwrap_or_else(|| panic!("the rules have no alert {name}"));
    let mut labels = vec![("alertname", name), ("severity", severity)];
    if let Some(place) = words.next_if(|word| word.contains('/')) {
        labels.extend(["namespace", "job", "account", "exported_account"].into_iter().zip(place.split('/')));
    }
    labels.extend(["group_id", "provider", "peering_id"].into_iter().zip(words));
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

fn parse_yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}
