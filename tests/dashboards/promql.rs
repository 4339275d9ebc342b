//! Finds the metrics that an expression uses.

const KEYWORDS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];
/// The keywords before a list of labels.
const LABELS_FOLLOW: [&str; 5] = ["by", "on", "ignoring", "group_left", "without"];

/// The metric names in an expression.
pub(crate) fn metrics(expr: &str) -> Vec<String> {
    let words = words(expr);
    let mut names = Vec::new();
    let mut in_labels = false;
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).map_or("", String::as_str);
        if LABELS_FOLLOW.contains(&word.as_str()) {
            in_labels = true;
        } else if word == ")" {
            in_labels = false;
        } else if !(in_labels
            || word == "("
            || next == "("
            || LABELS_FOLLOW.contains(&next)
            || KEYWORDS.contains(&word.as_str())
            || word.starts_with(|first: char| first.is_ascii_digit()))
        {
            names.push(word.clone());
        }
    }
    names
}

/// Names, numbers and parentheses, without label matchers and ranges.
fn words(expr: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut depth = 0;
    let mut in_text = false;
    for char in expr.chars() {
        match char {
            '"' => in_text = !in_text,
            _ if in_text => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth > 0 => {}
            '(' | ')' => words.extend([char.to_string(), String::new()]),
            _ if char.is_ascii_alphanumeric() || "_:.".contains(char) => words.last_mut().unwrap().push(char),
            _ => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn functions_labels_and_numbers_are_not_metrics() {
    let expr = "topk by (a) (1, max(x{b=~\"y}\"} offset 1m) * on (c) group_left (d) rate(z_total[5m])) > bool 1e9 or up - count_values(\"v\", w)";
    assert_eq!(metrics(expr), ["x", "z_total", "up", "w"]);
}
