//! Mutants of an expression: each lacks one of its clauses.

use promql_parser::{
    label::{Labels, MatchOp, Matchers},
    parser::{
        AggregateExpr, BinModifier, BinaryExpr, Expr, LabelModifier, ParenExpr, VectorMatchCardinality, VectorSelector,
    },
};

/// The removed clause, and the resulting expression.
pub(crate) type Mutant = (String, Expr);

/// Every expression that results from removing one clause.
pub(crate) fn mutants(expr: &Expr) -> Vec<Mutant> {
    match expr {
        Expr::Binary(binary) => of_binary(binary),
        Expr::Aggregate(aggregate) => of_aggregate(aggregate),
        Expr::Paren(paren) => embed(mutants(&paren.expr), |inner| wrap(&inner)),
        Expr::VectorSelector(selector) => embed(of_selector(selector), Expr::VectorSelector),
        Expr::MatrixSelector(matrix) => embed(of_selector(&matrix.vs), |vs| {
            let mut matrix = matrix.clone();
            matrix.vs = vs;
            Expr::MatrixSelector(matrix)
        }),
        Expr::Call(call) => {
            let mut all = Vec::new();
            for (index, arg) in call.args.args.iter().enumerate() {
                // An argument without its function is an instant vector, so a range selector loses its range.
                let bare = match arg.as_ref() {
                    Expr::MatrixSelector(matrix) => Expr::VectorSelector(matrix.vs.clone()),
                    other => wrap(other),
                };
                all.push((format!("the function {}", call.func.name), bare));
                all.extend(embed(mutants(arg), |arg| {
                    let mut call = call.clone();
                    *call.args.args[index] = arg;
                    Expr::Call(call)
                }));
            }
            all
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Vec::new(),
        other => panic!("no mutants are implemented for this clause: {other}"),
    }
}

/// Embeds the mutants of a part into the whole expression.
fn embed<T>(parts: Vec<(String, T)>, whole: impl Fn(T) -> Expr) -> Vec<Mutant> {
    parts.into_iter().map(|(removed, part)| (removed, whole(part))).collect()
}

/// Adds parentheses, so that the expression can be an operand.
fn wrap(expr: &Expr) -> Expr {
    Expr::Paren(ParenExpr { expr: Box::new(expr.clone()) })
}

fn of_binary(binary: &BinaryExpr) -> Vec<Mutant> {
    let operands = [("right", &binary.rhs, &binary.lhs), ("left", &binary.lhs, &binary.rhs)];
    let mut all: Vec<_> = operands
        .into_iter()
        .filter(|(.., kept)| !matches!(kept.as_ref(), Expr::NumberLiteral(_)))
        .map(|(side, removed, kept)| (format!("the {side} of {}: {removed}", binary.op), wrap(kept)))
        .collect();
    all.extend(embed(mutants(&binary.lhs), |lhs| {
        Expr::Binary(BinaryExpr { lhs: Box::new(wrap(&lhs)), ..binary.clone() })
    }));
    all.extend(embed(mutants(&binary.rhs), |rhs| {
        Expr::Binary(BinaryExpr { rhs: Box::new(wrap(&rhs)), ..binary.clone() })
    }));
    if let Some(modifier) = &binary.modifier {
        all.extend(embed(of_bin_modifier(modifier), |modifier| {
            Expr::Binary(BinaryExpr { modifier: Some(modifier), ..binary.clone() })
        }));
    }
    all
}

fn of_bin_modifier(modifier: &BinModifier) -> Vec<(String, BinModifier)> {
    let mut all = Vec::new();
    if let Some(matching) = &modifier.matching {
        all.push((format!("{matching:?}"), modifier.clone().with_matching(None)));
        all.extend(without_each_label(matching).into_iter().map(|(label, matching)| {
            (format!("{label} of the matching"), modifier.clone().with_matching(Some(matching)))
        }));
    }
    if let VectorMatchCardinality::ManyToOne(labels) = &modifier.card {
        let cards = labels.labels.iter().map(|_| VectorMatchCardinality::many_to_one(Vec::new()));
        let cards = cards.chain([VectorMatchCardinality::OneToOne]);
        all.extend(cards.map(|card| (format!("group_left, now {card:?}"), modifier.clone().with_card(card))));
    }
    if modifier.return_bool {
        all.push(("bool".to_owned(), modifier.clone().with_return_bool(false)));
    }
    all
}

fn of_aggregate(aggregate: &AggregateExpr) -> Vec<Mutant> {
    let mut all = vec![(format!("the aggregation {}", aggregate.op), wrap(&aggregate.expr))];
    let with = |modifier| Expr::Aggregate(AggregateExpr { modifier, ..aggregate.clone() });
    if let Some(modifier) = &aggregate.modifier {
        all.push((format!("every label of {}", aggregate.op), with(None)));
        let each = without_each_label(modifier).into_iter();
        all.extend(each.map(|(label, modifier)| (format!("{label} of {}", aggregate.op), with(Some(modifier)))));
    }
    all.extend(embed(mutants(&aggregate.expr), |expr| {
        Expr::Aggregate(AggregateExpr { expr: Box::new(expr), ..aggregate.clone() })
    }));
    all
}

/// The modifier without each of its labels.
fn without_each_label(modifier: &LabelModifier) -> Vec<(String, LabelModifier)> {
    let labels = &modifier.labels().labels;
    let without =
        |removed: &String| Labels { labels: labels.iter().filter(|label| *label != removed).cloned().collect() };
    let modify = if modifier.is_include() { LabelModifier::Include } else { LabelModifier::Exclude };
    labels.iter().map(|label| (label.clone(), modify(without(label)))).collect()
}

/// The selector without each of its matchers, and without each alternative of a regular expression.
fn of_selector(selector: &VectorSelector) -> Vec<(String, VectorSelector)> {
    let matchers = &selector.matchers.matchers;
    let with = |matchers| VectorSelector { matchers: Matchers::new(matchers), ..selector.clone() };
    let mut all = Vec::new();
    for (index, matcher) in matchers.iter().enumerate() {
        let mut others = matchers.clone();
        others.remove(index);
        all.push((matcher.to_string(), with(others)));
        let alternatives: Vec<&str> = matcher.value.split('|').collect();
        let is_regex = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_)) && alternatives.len() > 1;
        for removed in alternatives.iter().filter(|_| is_regex) {
            let rest: Vec<&str> = alternatives.iter().filter(|other| other != &removed).copied().collect();
            let mut others = matchers.clone();
            others[index].value = rest.join("|");
            all.push((format!("{removed} of {matcher}"), with(others)));
        }
    }
    all
}

#[test]
fn each_mutant_lacks_one_clause() {
    let expr = crate::promql::parse(r#"max by (a, b) (x{c="d", e=~"f|g"}) > 1 unless on (a) y"#);
    let found: Vec<_> = mutants(&expr).into_iter().map(|(_, expr)| expr.to_string()).collect();
    insta::assert_snapshot!(found.join("\n"));
}
