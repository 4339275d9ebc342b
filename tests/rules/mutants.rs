//! An expression without one of its clauses, in every way.

use promql_parser::{
    label::{Labels, MatchOp, Matchers},
    parser::{
        AggregateExpr, BinModifier, BinaryExpr, Expr, LabelModifier, ParenExpr, VectorMatchCardinality, VectorSelector,
    },
};

/// What is left out, and the expression that is left.
pub(crate) type Mutant = (String, Expr);

/// Every expression that lacks one clause of this one.
pub(crate) fn mutants(expr: &Expr) -> Vec<Mutant> {
    match expr {
        Expr::Binary(binary) => of_binary(binary),
        Expr::Aggregate(aggregate) => of_aggregate(aggregate),
        Expr::Paren(paren) => inside(mutants(&paren.expr), |inner| wrap(&inner)),
        Expr::VectorSelector(selector) => inside(of_selector(selector), Expr::VectorSelector),
        Expr::MatrixSelector(matrix) => inside(of_selector(&matrix.vs), |vs| {
            let mut matrix = matrix.clone();
            matrix.vs = vs;
            Expr::MatrixSelector(matrix)
        }),
        Expr::Call(call) => {
            let mut all = Vec::new();
            for (index, arg) in call.args.args.iter().enumerate() {
                // Without the function, a range of samples is its last one.
                let bare = match arg.as_ref() {
                    Expr::MatrixSelector(matrix) => Expr::VectorSelector(matrix.vs.clone()),
                    other => wrap(other),
                };
                all.push((format!("the function {}", call.func.name), bare));
                all.extend(inside(mutants(arg), |arg| {
                    let mut call = call.clone();
                    *call.args.args[index] = arg;
                    Expr::Call(call)
                }));
            }
            all
        }
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) => Vec::new(),
        other => panic!("the rules have no such clause yet: {other}"),
    }
}

/// The mutants of a part, put back into the whole.
fn inside<T>(parts: Vec<(String, T)>, whole: impl Fn(T) -> Expr) -> Vec<Mutant> {
    parts.into_iter().map(|(what, part)| (what, whole(part))).collect()
}

/// As an operand, whatever stands beside it.
fn wrap(expr: &Expr) -> Expr {
    Expr::Paren(ParenExpr { expr: Box::new(expr.clone()) })
}

fn of_binary(binary: &BinaryExpr) -> Vec<Mutant> {
    let operands = [("right", &binary.rhs, &binary.lhs), ("left", &binary.lhs, &binary.rhs)];
    let mut all: Vec<_> = operands
        .into_iter()
        .filter(|(.., left)| !matches!(left.as_ref(), Expr::NumberLiteral(_)))
        .map(|(side, gone, left)| (format!("the {side} of {}: {gone}", binary.op), wrap(left)))
        .collect();
    all.extend(inside(mutants(&binary.lhs), |lhs| {
        Expr::Binary(BinaryExpr { lhs: Box::new(wrap(&lhs)), ..binary.clone() })
    }));
    all.extend(inside(mutants(&binary.rhs), |rhs| {
        Expr::Binary(BinaryExpr { rhs: Box::new(wrap(&rhs)), ..binary.clone() })
    }));
    if let Some(modifier) = &binary.modifier {
        all.extend(inside(of_bin_modifier(modifier), |modifier| {
            Expr::Binary(BinaryExpr { modifier: Some(modifier), ..binary.clone() })
        }));
    }
    all
}

fn of_bin_modifier(modifier: &BinModifier) -> Vec<(String, BinModifier)> {
    let mut all = Vec::new();
    if let Some(matching) = &modifier.matching {
        all.push((format!("{matching:?}"), modifier.clone().with_matching(None)));
        all.extend(shorter(matching).into_iter().map(|(label, matching)| {
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
        let each = shorter(modifier).into_iter();
        all.extend(each.map(|(label, modifier)| (format!("{label} of {}", aggregate.op), with(Some(modifier)))));
    }
    all.extend(inside(mutants(&aggregate.expr), |expr| {
        Expr::Aggregate(AggregateExpr { expr: Box::new(expr), ..aggregate.clone() })
    }));
    all
}

/// Without each of the labels.
fn shorter(modifier: &LabelModifier) -> Vec<(String, LabelModifier)> {
    let labels = &modifier.labels().labels;
    let without = |gone: &String| Labels { labels: labels.iter().filter(|label| *label != gone).cloned().collect() };
    let modify = if modifier.is_include() { LabelModifier::Include } else { LabelModifier::Exclude };
    labels.iter().map(|label| (label.clone(), modify(without(label)))).collect()
}

/// Without each of the matchers, and without each of the words of a regular expression.
fn of_selector(selector: &VectorSelector) -> Vec<(String, VectorSelector)> {
    let matchers = &selector.matchers.matchers;
    let with = |matchers| VectorSelector { matchers: Matchers::new(matchers), ..selector.clone() };
    let mut all = Vec::new();
    for (index, matcher) in matchers.iter().enumerate() {
        let mut others = matchers.clone();
        others.remove(index);
        all.push((matcher.to_string(), with(others)));
        let words: Vec<&str> = matcher.value.split('|').collect();
        let is_choice = matches!(matcher.op, MatchOp::Re(_) | MatchOp::NotRe(_)) && words.len() > 1;
        for gone in words.iter().filter(|_| is_choice) {
            let left: Vec<&str> = words.iter().filter(|word| word != &gone).copied().collect();
            let mut others = matchers.clone();
            others[index].value = left.join("|");
            all.push((format!("{gone} of {matcher}"), with(others)));
        }
    }
    all
}

#[test]
fn every_clause_is_left_out_once() {
    let expr = crate::promql::parse(r#"max by (a, b) (x{c="d", e=~"f|g"}) > 1 unless on (a) y"#);
    let found: Vec<_> = mutants(&expr).into_iter().map(|(_, expr)| expr.to_string()).collect();
    insta::assert_snapshot!(found.join("\n"));
}
