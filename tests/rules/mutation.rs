//! Mutation tests of the rules: removing any clause of a rule makes one of its tests fail.

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

/// Every mutant of the rule, with the clause that it lacks.
fn mutants_of(rule: &Rule) -> Vec<(String, Rule)> {
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
    let mut all: Vec<_> = exprs.map(|(removed, expr)| (removed, with("expr", Some(expr.to_string().into())))).collect();
    for key in ["for", "keep_firing_for", "labels"] {
        if rule.0.get(key).is_some() {
            all.push((key.to_owned(), with(key, None)));
        }
    }
    all
}

/// The metrics that the rule uses, including those in its description.
fn used_metrics(rule: &Rule) -> HashSet<String> {
    let templates = of_template(rule.text("annotations", "description")).into_iter();
    templates.chain([parse(rule.expr())]).flat_map(|expr| metrics(&expr)).collect()
}

/// The tests of a rule as separate files, so that a mutant is done with the first test that fails.
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

/// Whether the tests of the rule at `index` pass after replacing it with `mutant`. A test that fails moves to the front,
/// because it is likely to fail for the next mutant too.
fn passes(rules: &[Rule], index: usize, mutant: &Rule, tests: &mut VecDeque<String>, folder: &Path) -> bool {
    // Rules that the tests do not need would only cost time.
    let mut needed: HashSet<_> = used_metrics(&rules[index]);
    for rule in rules.iter().rev().filter(|rule| !rule.is_alert()) {
        if !mutant.is_alert() || needed.contains(rule.name()) {
            needed.extend(used_metrics(rule));
            needed.insert(rule.name().to_owned());
        }
    }
    let needed = rules.iter().enumerate().filter(|(other, rule)| *other == index || needed.contains(rule.name()));
    let needed = needed.map(|(other, rule)| if other == index { mutant.0.clone() } else { rule.0.clone() });
    let group = Mapping::from_iter([("name".into(), "mutant".into()), ("rules".into(), needed.collect())]);
    let file = Mapping::from_iter([("groups".into(), Value::Sequence(vec![group.into()]))]);
    fs::write(folder.join("rules.yaml"), serde_yaml::to_string(&file).unwrap()).unwrap();
    fs::create_dir_all(folder.join("tests")).unwrap();
    let fails = tests.iter().position(|test| {
        fs::write(folder.join("tests/test.yaml"), test).unwrap();
        let mut command = Command::new("promtool");
        command.args(["test", "rules"]).arg(folder.join("tests/test.yaml"));
        // One promtool runs per processor; its own threads and garbage collection would take a quarter of the time.
        !run(command.env("GOMAXPROCS", "1").env("GOGC", "400")).status.success()
    });
    if let Some(first) = fails.and_then(|position| tests.remove(position)) {
        tests.push_front(first);
    }
    fails.is_none()
}

#[test]
fn removing_any_clause_of_a_rule_fails_a_test() {
    let rules = rules();
    let mutants: Vec<_> = (0..rules.len())
        .flat_map(|index| mutants_of(&rules[index]).into_iter().map(move |(removed, mutant)| (index, removed, mutant)))
        .collect();
    assert!(mutants.len() > 10 * rules.len(), "too few mutants: {}", mutants.len());
    let next = AtomicUsize::new(0);
    let survivors = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                let folder = TempDir::new().unwrap();
                let mut tests_of: HashMap<&str, VecDeque<String>> = HashMap::new();
                while let Some((index, removed, mutant)) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let tests = tests_of.entry(mutant.name()).or_insert_with(|| tests(mutant));
                    if passes(&rules, *index, mutant, tests, folder.path()) {
                        survivors.lock().unwrap().push(format!("{} without {removed}", mutant.name()));
                    }
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(
        survivors.is_empty(),
        "{} of {} mutants survive:\n{}",
        survivors.len(),
        mutants.len(),
        survivors.join("\n")
    );
}

#[test]
fn the_parsed_and_printed_rules_pass_their_tests() {
    let rules = rules();
    let folder = TempDir::new().unwrap();
    for (index, rule) in rules.iter().enumerate() {
        let mut parsed = rule.clone();
        parsed.0["expr"] = parse(rule.expr()).to_string().into();
        assert!(
            passes(&rules, index, &parsed, &mut tests(rule), folder.path()),
            "{}: printing changes the expression",
            rule.name()
        );
    }
}
