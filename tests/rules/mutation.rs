//! No clause of a rule is there for nothing: without any of them, a test of the rule fails.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    fs,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use serde_yaml::{Value, value::Mapping};
use tempfile::TempDir;

use crate::{
    mutants::mutants,
    promql::{metrics, of_template, parse},
    shipped::{Rule, read, rules, run},
};

/// Every way to leave something out of the rule.
fn without_a_clause(rule: &Rule) -> Vec<(String, Rule)> {
    let with = |key: &str, value: Option<Value>| {
        let mut mutant = rule.clone();
        let mapping = mutant.0.as_mapping_mut().unwrap();
        match value {
            Some(value) => mapping.insert(key.into(), value),
            None => mapping.remove(key),
        };
        mutant
    };
    let exprs = mutants(&parse(rule.expr())).into_iter();
    let mut all: Vec<_> = exprs.map(|(what, expr)| (what, with("expr", Some(expr.to_string().into())))).collect();
    for key in ["for", "keep_firing_for", "labels"] {
        if rule.0.get(key).is_some() {
            all.push((key.to_owned(), with(key, None)));
        }
    }
    all
}

/// The metrics that the rule needs, in its annotations too.
fn names(rule: &Rule) -> HashSet<String> {
    let templates = of_template(rule.text("annotations", "description")).into_iter();
    templates.chain([parse(rule.expr())]).flat_map(|expr| metrics(&expr)).collect()
}

/// The tests of a rule, each in a file of its own: most mutants fail one of the first.
fn tests(rule: &Rule) -> VecDeque<String> {
    let name = if rule.is_alert() { rule.name() } else { "records" };
    let file: Value = serde_yaml::from_str(&read(&format!("prometheus/tests/{name}.yaml"))).unwrap();
    let alone = |test: &Value| {
        let mut file = file.clone();
        file["tests"] = Value::Sequence(vec![test.clone()]);
        serde_yaml::to_string(&file).unwrap()
    };
    file["tests"].as_sequence().unwrap().iter().map(alone).collect()
}

/// Whether the tests of the rule at this place of all rules pass with another rule in its place. The one that fails is
/// the first to be tried the next time.
fn passes(rules: &[Rule], place: usize, mutant: &Rule, tests: &mut VecDeque<String>, folder: &Path) -> bool {
    // Others would cost time, and are not looked at.
    let mut needed: HashSet<_> = names(&rules[place]);
    for rule in rules.iter().rev().filter(|rule| !rule.is_alert()) {
        if !mutant.is_alert() || needed.contains(rule.name()) {
            needed.extend(names(rule));
            needed.insert(rule.name().to_owned());
        }
    }
    let needed = rules.iter().enumerate().filter(|(other, rule)| *other == place || needed.contains(rule.name()));
    let needed = needed.map(|(other, rule)| if other == place { mutant.0.clone() } else { rule.0.clone() });
    let group = Mapping::from_iter([("name".into(), "mutant".into()), ("rules".into(), needed.collect())]);
    let file = Mapping::from_iter([("groups".into(), Value::Sequence(vec![group.into()]))]);
    fs::write(folder.join("rules.yaml"), serde_yaml::to_string(&file).unwrap()).unwrap();
    fs::create_dir_all(folder.join("tests")).unwrap();
    let fails = tests.iter().position(|test| {
        fs::write(folder.join("tests/test.yaml"), test).unwrap();
        let mut command = Command::new("promtool");
        command.args(["test", "rules"]).arg(folder.join("tests/test.yaml"));
        // There are as many of it as processors; a quarter of its time would go into its own threads and garbage.
        !run(command.env("GOMAXPROCS", "1").env("GOGC", "400")).status.success()
    });
    if let Some(first) = fails.and_then(|place| tests.remove(place)) {
        tests.push_front(first);
    }
    fails.is_none()
}

#[test]
fn without_any_clause_of_a_rule_a_test_fails() {
    let rules = rules();
    let mutants: Vec<_> = (0..rules.len())
        .flat_map(|place| without_a_clause(&rules[place]).into_iter().map(move |(what, mutant)| (place, what, mutant)))
        .collect();
    assert!(mutants.len() > 10 * rules.len(), "mutants were lost: {}", mutants.len());
    let next = AtomicUsize::new(0);
    let survivors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let folder = TempDir::new().unwrap();
                let mut tests_of: HashMap<&str, VecDeque<String>> = HashMap::new();
                while let Some((place, what, mutant)) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tests = tests_of.entry(mutant.name()).or_insert_with(|| tests(mutant));
                    if passes(&rules, *place, mutant, tests, folder.path()) {
                        survivors.lock().unwrap().push(format!("{} without {what}", mutant.name()));
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "{} of {} pass:\n{}", survivors.len(), mutants.len(), survivors.join("\n"));
}

#[test]
fn the_rules_as_they_are_written_and_parsed_pass_their_tests() {
    let rules = rules();
    let folder = TempDir::new().unwrap();
    for (place, rule) in rules.iter().enumerate() {
        let mut parsed = rule.clone();
        parsed.0["expr"] = parse(rule.expr()).to_string().into();
        assert!(
            passes(&rules, place, &parsed, &mut tests(rule), folder.path()),
            "{}: a mutant would fail for no reason",
            rule.name()
        );
    }
}
