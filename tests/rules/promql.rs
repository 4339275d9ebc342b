//! Parses expressions and finds the metrics that they use.

use promql_parser::parser::{self, Expr};

pub(crate) fn parse(expr: &str) -> Expr {
    parser::parse(expr).unwrap_or_else(|error| panic!("{error}: {expr}"))
}

/// The names of the metrics that an expression uses.
pub(crate) fn metrics(expr: &Expr) -> Vec<String> {
    match expr {
        Expr::VectorSelector(selector) => selector.name.iter().cloned().collect(),
        Expr::MatrixSelector(selector) => selector.vs.name.iter().cloned().collect(),
        Expr::Aggregate(aggregate) => metrics(&aggregate.expr),
        Expr::Unary(unary) => metrics(&unary.expr),
        Expr::Paren(paren) => metrics(&paren.expr),
        Expr::Subquery(subquery) => metrics(&subquery.expr),
        Expr::Binary(binary) => [metrics(&binary.lhs), metrics(&binary.rhs)].concat(),
        Expr::Call(call) => call.args.args.iter().flat_map(|arg| metrics(arg)).collect(),
        _ => Vec::new(),
    }
}

/// The expressions of the queries in a template.
pub(crate) fn of_template(template: &str) -> Vec<Expr> {
    let printed = template.split("printf `").skip(1).map(|rest| rest.split('`').next().unwrap());
    printed.map(|format| parse(&format.replace("%q", "\"x\""))).collect()
}
