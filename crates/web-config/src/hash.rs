//! One bcrypt hash as the toolkit reads it, and what it costs to compare with it.

use bcrypt::{HashParts, hash_with_salt, verify};

/// What bcrypt allows. Each step doubles the work; 10 takes about 50 ms.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

/// As short as a hash without a minor version may be.
const MIN_LENGTH: usize = 59;

/// Cost, salt and hash with their `$`. The toolkit passes over what comes behind, such as the end of a line.
const LENGTH_AFTER_VERSION: usize = 56;

/// The salt of comparisons that nobody can win.
const NO_SALT: [u8; 16] = *b"nobody has this ";

/// A hash.
pub(crate) struct Hash {
    cost: u32,
    /// With the version that the library knows; the algorithm is the same for all. None if no password can match.
    text: Option<String>,
}

impl Hash {
    /// Refuses what the toolkit refuses. The hash is not repeated in a message.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let bytes = text.as_bytes();
        if bytes.len() < MIN_LENGTH {
            return Err(format!("is no bcrypt hash: it is shorter than {MIN_LENGTH} bytes"));
        }
        if bytes[0] != b'$' || bytes[1] > b'2' {
            return Err("is no bcrypt hash: it begins with another word than `$2b$`".to_owned());
        }
        let rest = if bytes[2] == b'$' { text.get(3..) } else { text.get(4..) }.unwrap_or_default();
        let cost = rest.get(..2).and_then(|digits| digits.parse().ok());
        let Some(cost) = cost.filter(|cost| COSTS.contains(cost)) else {
            return Err(format!("is no bcrypt hash: its cost is not from {} to {}", COSTS.start(), COSTS.end()));
        };
        let text = format!("$2b${}", rest.get(..LENGTH_AFTER_VERSION).unwrap_or_default());
        Ok(Self { cost, text: text.parse::<HashParts>().is_ok().then_some(text) })
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether any password can match.
    pub(crate) fn is_whole(&self) -> bool {
        self.text.is_some()
    }
}

/// Compares a password with the hash of a user, if there is such a user. What is wrong costs the same for all: as
/// much work as for a hash of `cost`, which is the highest.
pub(crate) fn compare(hash: Option<&Hash>, password: &[u8], cost: u32) -> bool {
    let whole = hash.and_then(|hash| Some((hash.cost, hash.text.as_ref()?)));
    let Some((own, text)) = whole else {
        waste(password, cost);
        return false;
    };
    if verify(password, text).unwrap_or(false) {
        return true;
    }
    // Twice the work of cost n is that of n + 1, so these fill it up.
    (own..cost).for_each(|cost| waste(password, cost));
    false
}

fn waste(password: &[u8], cost: u32) {
    // It fails for no cost that was parsed, and nobody wants the hash.
    drop(std::hint::black_box(hash_with_salt(password, cost, NO_SALT)));
}

/// The hash of a password, for tests.
#[cfg(test)]
pub(crate) fn hashed(password: &str, cost: u32) -> String {
    hash_with_salt(password, cost, [7; 16]).unwrap().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash() -> String {
        hashed("secret", 4)
    }

    fn matches(text: &str, password: &str) -> bool {
        compare(Some(&Hash::parse(text).unwrap()), password.as_bytes(), 4)
    }

    #[test]
    fn every_version_of_a_hash_is_the_same() {
        for version in ["$2a$", "$2b$", "$2x$", "$2y$", "$2$"] {
            let text = hash().replace("$2b$", version);
            assert!(matches(&text, "secret"), "{version}");
            assert!(!matches(&text, "Secret") && !matches(&text, ""), "{version}");
            assert!(matches(&format!("{text}\n"), "secret"), "{version}");
        }
    }

    #[test]
    fn a_hash_of_a_lower_cost_is_compared_all_the_same() {
        assert!(compare(Some(&Hash::parse(&hash()).unwrap()), b"secret", 6));
        assert!(!compare(None, b"secret", 6));
    }

    #[test]
    fn what_only_looks_like_a_hash_matches_nothing() {
        let text = hash();
        for odd in [text.replace(&text[10..12], "!!"), text.replace("$04$", "$04!"), text.replace(&text[50..51], "é")]
        {
            let hash = Hash::parse(&odd).unwrap();
            assert!(!hash.is_whole() && !compare(Some(&hash), b"secret", 4), "{odd}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let text = hash();
        for (odd, word) in [
            (String::new(), "shorter"),
            ("secret".to_owned(), "shorter"),
            (text.replace("$2b$", "$3b$"), "begins"),
            (text.replace("$2b$", "x2b$"), "begins"),
            (text.replace("$04$", "$03$"), "cost"),
            (text.replace("$04$", "$32$"), "cost"),
            (text.replace("$04$", "$xx$"), "cost"),
            ("é".repeat(40), "begins"),
            (format!("$2é{text}"), "cost"),
        ] {
            let told = Hash::parse(&odd).err().unwrap();
            assert!(told.contains(word) && !told.contains("secret"), "{odd}: {told}");
        }
    }
}
