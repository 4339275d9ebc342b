//! The fields of a digest `Authorization` header.

use std::collections::HashMap;

/// What a client answered to a challenge.
#[derive(Debug)]
pub(super) struct Authorization(HashMap<String, String>);

impl Authorization {
    /// None unless the header is a digest answer in which no field comes twice.
    pub(super) fn parse(header: &str) -> Option<Authorization> {
        let (scheme, mut rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut fields = HashMap::new();
        while !rest.trim().is_empty() {
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start())?;
            let name = name.trim().to_ascii_lowercase();
            if fields.insert(name, value).is_some() {
                return None;
            }
            rest = after;
        }
        Some(Authorization(fields))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How often the client says to have used the nonce: eight hexadecimal digits.
    pub(super) fn nonce_count(&self) -> Option<u32> {
        let text = self.get("nc").filter(|text| text.len() == 8)?;
        u32::from_str_radix(text, 16).ok()
    }
}

/// Reads a token or a quoted string, and the comma behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let (value, rest) = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?,
        None => token(text),
    };
    let rest = rest.trim_start();
    if rest.is_empty() {
        return Some((value, rest));
    }
    rest.strip_prefix(',').map(|rest| (value, rest))
}

fn token(text: &str) -> (String, &str) {
    let (token, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    (token.trim().to_owned(), rest)
}

fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[index + 1..])),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_quoted_strings_are_read() {
        let header = r#"digest username="a, \"b\"", nc=0000000a , qop=auth,uri="/x?y=1,2""#;
        let authorization = Authorization::parse(header).unwrap();
        assert_eq!(authorization.get("username"), Some(r#"a, "b""#));
        assert_eq!(authorization.get("qop"), Some("auth"));
        assert_eq!(authorization.get("uri"), Some("/x?y=1,2"));
        assert_eq!(authorization.nonce_count(), Some(10));
    }

    #[test]
    fn what_is_not_a_digest_answer_is_not_read() {
        for header in
            ["", "Digest", "Bearer abc=", r#"Digest username="open"#, r#"Digest a="1" b="2""#, "Digest a=1, a=2"]
        {
            assert!(Authorization::parse(header).is_none(), "{header}");
        }
    }
}
