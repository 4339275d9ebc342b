//! Which alerts the shipped example holds back, and that nothing of it can be left out.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::alertmanager::Alertmanager;

/// Every kind of alert that another holds back, and beside it one for each label of `equal` that differs in this label
/// alone. `prod`, `x` and `y` are where an alert about an account or an exporter comes from: namespace/job/account.
const TABLE: &str = "
# A target that nobody knows silences its own peerings, and no others.
told AtlasPeeringDataStale         x/exporter/prod shop GCP
held AtlasPeeringLost                              shop GCP p1
held AtlasPeeringFailed                            shop GCP p1
told AtlasPeeringLost                              shop AWS p1
told AtlasPeeringLost                              bank GCP p1

# A page about a peering is all that is told of it.
held AtlasPeeringFailed                            shop AWS p1
held AtlasPeeringFlapping                          shop AWS p1
told AtlasPeeringFailed                            shop AWS p2
told AtlasPeeringFailed                            shop AZURE p1
told AtlasPeeringFailed                            bank AWS p1
told AtlasPeeringPollFailing       x/exporter/prod shop AWS
told AtlasPeeringRequestExpiring                   shop AWS p3
held AtlasPeeringPendingAcceptance                 shop AWS p3
told AtlasPeeringPendingAcceptance                 shop AWS p2
told AtlasPeeringPendingAcceptance                 shop AZURE p3
told AtlasPeeringPendingAcceptance                 bank AWS p3

# Of a target that nobody knows no replica has to be told as well.
held AtlasPeeringPollFailing       x/exporter/prod shop GCP
told AtlasPeeringPollFailing       x/exporter/prod bank GCP
told AtlasPeeringPollFailing       x/exporter/test shop GCP
told AtlasPeeringPollFailing       x/another/prod  shop GCP
told AtlasPeeringPollFailing       y/exporter/prod shop GCP

# An account that is blind is a page; its targets are none, and still silence their peerings.
told AtlasAccountBlind             x/exporter/blind
held AtlasPeeringDataStale         x/exporter/blind lake AWS
held AtlasPeeringLost                               lake AWS p1
held AtlasPeeringPollFailing       x/exporter/blind lake GCP
held AtlasDiscoveryFailing         x/exporter/blind
held AtlasTokenNotRenewed          x/exporter/blind
told AtlasDiscoveryFailing         x/exporter/prod
told AtlasDiscoveryFailing         x/another/blind
told AtlasDiscoveryFailing         y/exporter/blind

# So is one that watches nothing.
told AtlasAccountWatchesNothing    x/exporter/empty
held AtlasPeeringDataStale         x/exporter/empty moon AWS
held AtlasDiscoveryFailing         x/exporter/empty
held AtlasTokenNotRenewed          x/exporter/empty

# So is an exporter that is down.
told AtlasPeeringExporterDown      down/exporter/
held AtlasPeeringDataStale         down/exporter/prod rock AWS
told AtlasPeeringDataStale         down/another/prod  sand AWS
told AtlasPeeringDataStale         x/exporter/prod    dust AWS

# So is a shard that is missing, and its replica is the same fault.
told AtlasPeeringShardMissing      part/exporter/
held AtlasPeeringDataStale         part/exporter/prod tree AWS
held AtlasPeeringReplicaDown       part/exporter/
told AtlasPeeringReplicaDown       part/another/
told AtlasPeeringReplicaDown       x/exporter/

# A credential that is refused explains polls that fail. It is a ticket: it must not hide that a target is stale, which
# holds back pages.
told AtlasCredentialRefused        x/exporter/refused
told AtlasPeeringDataStale         x/exporter/refused leaf AWS
held AtlasPeeringPollFailing       x/exporter/refused leaf GCP
held AtlasDiscoveryFailing         x/exporter/refused
held AtlasTokenNotRenewed          x/exporter/refused
told AtlasTokenNotRenewed          x/exporter/prod
told AtlasTokenNotRenewed          x/another/refused
told AtlasTokenNotRenewed          y/exporter/refused
held AtlasCredentialExpiring       x/exporter/refused
told AtlasCredentialExpiring       x/exporter/prod
told AtlasCredentialExpiring       x/another/refused
told AtlasCredentialExpiring       y/exporter/refused

# So does an address that is not on the list.
told AtlasAddressNotOnAccessList   x/exporter/away
told AtlasPeeringDataStale         x/exporter/away root AWS
held AtlasPeeringPollFailing       x/exporter/away root GCP
held AtlasDiscoveryFailing         x/exporter/away
";

/// A part of the example that a table of alerts must miss, and the inhibitions without it.
struct Mutant {
    left_out: String,
    inhibitions: Vec<Value>,
}

#[test]
fn each_inhibition_holds_back_what_it_should_and_no_part_of_it_can_be_left_out() {
    let shipped = shipped();
    let mut mutants = vec![Mutant { left_out: "nothing".to_owned(), inhibitions: shipped.clone() }];
    mutants.extend(mutants_of(&shipped));
    let expected: Vec<_> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();

    // Every mutant has its own copy of every alert, which it knows by a label: so one Alertmanager is enough.
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
    let held = alertmanager.held_of(alerts.collect());

    let wrong = |case: usize| {
        let is_wrong =
            |(row, line): &(usize, &&str)| is_held(line) != held.contains(&(format!("c{case}"), row.to_string()));
        expected.iter().enumerate().filter(is_wrong).map(|(_, line)| *line).collect::<Vec<_>>()
    };
    assert_eq!(wrong(0), [""; 0], "the example as it is");
    let survivors: Vec<_> =
        (1..mutants.len()).filter(|case| wrong(*case).is_empty()).map(|case| &mutants[case].left_out).collect();
    assert_eq!(survivors, [""; 0], "nothing of the table needs it");
    assert!(mutants.len() > 2 * shipped.len(), "each inhibition has a label at least");
}

/// The inhibitions of the example.
fn shipped() -> Vec<Value> {
    let config = of_yaml(include_str!("../../prometheus/alertmanager.example.yaml"));
    config["inhibit_rules"].as_array().unwrap().clone()
}

/// The severity of every alert of the rules, which the table need not repeat.
fn severities() -> BTreeMap<String, String> {
    let rules = of_yaml(include_str!("../../prometheus/rules.yaml"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rules = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let alerts = rules.filter(|rule| rule["alert"].is_string());
    alerts.map(|rule| (text(&rule["alert"]), text(&rule["labels"]["severity"]))).collect()
}

/// The shipped inhibitions without one whole, without one label, and without one of several names of alerts.
fn mutants_of(shipped: &[Value]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (index, inhibition) in shipped.iter().enumerate() {
        let mut add = |what: String, instead: Option<Value>| {
            let mut inhibitions = shipped.to_vec();
            inhibitions.splice(index..=index, instead);
            mutants.push(Mutant { left_out: format!("{what} of {inhibition}"), inhibitions });
        };
        add("all".to_owned(), None);
        for label in 0..inhibition["equal"].as_array().unwrap().len() {
            let mut without = inhibition.clone();
            let label = without["equal"].as_array_mut().unwrap().remove(label);
            add(label.to_string(), Some(without));
        }
        for side in ["source_matchers", "target_matchers"] {
            let matchers = inhibition[side].as_array().unwrap();
            assert_eq!(matchers.len(), 1, "leave each out of {matchers:?}, please");
            let Some((before, names)) = matchers[0].as_str().unwrap().split_once("=~") else { continue };
            let names: Vec<_> = names.trim().trim_matches('"').split('|').collect();
            for left_out in &names {
                let rest: Vec<_> = names.iter().filter(|name| *name != left_out).copied().collect();
                let mut without = inhibition.clone();
                without[side] = json!([format!("{before}=~ \"{}\"", rest.join("|"))]);
                add(format!("{left_out} in {side}"), Some(without));
            }
        }
    }
    mutants
}

/// The same between alerts of this case only.
fn of_case(inhibition: &Value, case: usize) -> Value {
    let mut inhibition = inhibition.clone();
    for side in ["source_matchers", "target_matchers"] {
        inhibition[side].as_array_mut().unwrap().push(format!("case = c{case}").into());
    }
    inhibition
}

fn is_held(line: &str) -> bool {
    match line.split_once(' ') {
        Some(("held", _)) => true,
        Some(("told", _)) => false,
        _ => panic!("neither told nor held: {line}"),
    }
}

/// The labels of an alert of the table.
fn alert(line: &str, severities: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut words = line.split_whitespace().skip(1).peekable();
    let name = words.next().unwrap();
    let severity = severities.get(name).unwrap_or_else(|| panic!("the rules have no alert {name}"));
    let mut labels = vec![("alertname", name), ("severity", severity)];
    if let Some(place) = words.next_if(|word| word.contains('/')) {
        labels.extend(["namespace", "job", "account"].into_iter().zip(place.split('/')));
    }
    labels.extend(["group_id", "provider", "peering_id"].into_iter().zip(words));
    let labels = labels.into_iter().filter(|(_, value)| !value.is_empty());
    labels.map(|(label, value)| (label.to_owned(), value.to_owned())).collect()
}

fn of_yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap()
}
