//! Config values in messages.

use std::{borrow::Cow, fmt, path::Path};

/// The longest path and the longest name in it that Linux allows, in bytes.
const MAX_PATH: usize = 4096;
const MAX_FILE_NAME: usize = 255;

/// Parts of secrets: of a PEM key or certificate, also base64-encoded, of a client secret of a service account, and of
/// a bcrypt hash.
const SECRET_PARTS: [&str; 7] = ["-----BEGIN", "LS0tLS1CRUdJTi", "mdb_sa_sk_", "$2a$", "$2b$", "$2x$", "$2y$"];

/// A path, a name or another config value in a message. It is replaced if it may be a misplaced secret: if it contains
/// control characters such as line breaks, or part of a secret, or is too long for a path.
#[derive(Clone, Debug)]
pub struct Shown<'a>(Cow<'a, str>);

impl<'a> From<&'a str> for Shown<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl<'a> From<&'a Path> for Shown<'a> {
    fn from(path: &'a Path) -> Self {
        Self(path.to_string_lossy())
    }
}

impl Shown<'_> {
    /// Whether the text is replaced.
    #[must_use]
    pub fn may_be_secret(&self) -> bool {
        let text = &*self.0;
        text.len() >= MAX_PATH
            || text.split('/').any(|name| name.len() > MAX_FILE_NAME)
            || text.contains(|c: char| c.is_control() || ['\u{2028}', '\u{2029}'].contains(&c))
            || SECRET_PARTS.iter().any(|part| text.contains(part))
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.may_be_secret() { "(not shown: it may be a secret)" } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        let long_name = "x".repeat(MAX_FILE_NAME);
        let long_path = format!("{}/x", "x/".repeat(MAX_PATH / 2 - 2));
        for text in ["", "tls/server.key", "C:\\tls\\ä b.pem", "~/-BEGIN", "$2/a", &long_name, &long_path] {
            assert_eq!(Shown::from(text).to_string(), text);
            assert_eq!(Shown::from(Path::new(text)).to_string(), text);
        }
        for text in [
            "a\nb",
            "a\n",
            "a\rb",
            "a\u{85}b",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\0b",
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\\nMC4CAQ\\n",
            "LS0tLS1CRUdJTiBQUklWQVRFIEtFWS0tLS0t",
            "mdb_sa_sk_0123",
            "/run/mdb_sa_sk_0123",
            "$2y$10$iM2gsLQNHpEZLRIaqZThIeGGf.3QGsljBGu5zdLnEgoMIdKgppY8m",
            &format!("a/{long_name}x/b"),
            &format!("{long_path}//"),
        ] {
            assert_eq!(Shown::from(text).to_string(), "(not shown: it may be a secret)", "{text:?}");
        }
    }
}
