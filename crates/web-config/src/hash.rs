//! A bcrypt hash as the toolkit reads it, and the comparison of a password with it.

use bcrypt::{HashParts, hash_with_salt, verify};

/// The costs that bcrypt allows. Each step doubles the work; 10 takes about 50 ms.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

/// The bytes of a password that bcrypt uses.
pub(crate) const MAX_PASSWORD: usize = 72;

/// The length of a hash without a minor version.
const MIN_LENGTH: usize = 59;

/// The length of cost, salt and hash with their `$`. The toolkit ignores the rest, such as a line feed.
const LENGTH_AFTER_VERSION: usize = 56;

/// The salt of hashes that only cost time.
const DUMMY_SALT: [u8; 16] = *b"nobody has this ";

/// The hash of a user's password.
pub(crate) struct Hash {
    cost: u32,
    /// With the version that the library knows; the algorithm is the same for all. `None` if no password can match.
    text: Option<String>,
}

/// Why a text is not a hash. Does not repeat it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HashError {
    #[error("is not a bcrypt hash: it is shorter than {MIN_LENGTH} bytes")]
    Length,
    #[error("is not a bcrypt hash: it does not start with `$2b$`")]
    Version,
    #[error("is not a bcrypt hash: its cost is not from {} to {}", COSTS.start(), COSTS.end())]
    Cost,
}

impl Hash {
    /// Rejects what the toolkit rejects.
    pub(crate) fn parse(text: &str) -> Result<Self, HashError> {
        let bytes = text.as_bytes();
        if bytes.len() < MIN_LENGTH {
            return Err(HashError::Length);
        }
        if bytes[0] != b'$' || bytes[1] > b'2' {
            return Err(HashError::Version);
        }
        let rest = if bytes[2] == b'$' { text.get(3..) } else { text.get(4..) }.unwrap_or_default();
        let cost = rest.get(..2).and_then(|digits| digits.parse().ok());
        let cost = cost.filter(|cost| COSTS.contains(cost)).ok_or(HashError::Cost)?;
        let text = format!("$2b${}", rest.get(..LENGTH_AFTER_VERSION).unwrap_or_default());
        Ok(Self { cost, text: text.parse::<HashParts>().is_ok().then_some(text) })
    }

    pub(crate) fn cost(&self) -> u32 {
        self.cost
    }

    /// Whether a password can match.
    pub(crate) fn is_intact(&self) -> bool {
        self.text.is_some()
    }
}

/// Compares a password with the hash of a user, if there is such a user. A failure takes as much work for every user,
/// known or not, as for a hash of `cost`, which is the highest.
pub(crate) fn compare(hash: Option<&Hash>, password: &[u8], cost: u32) -> bool {
    let intact = hash.and_then(|hash| Some((hash.cost, hash.text.as_ref()?)));
    let Some((own, text)) = intact else {
        dummy_hash(password, cost);
        return false;
    };
    if verify(password, text).unwrap_or(false) {
        return true;
    }
    // Cost n + 1 is twice the work of cost n, so these add up to the highest.
    (own..cost).for_each(|cost| dummy_hash(password, cost));
    false
}

fn dummy_hash(password: &[u8], cost: u32) {
    // It fails for no cost that was parsed, and the hash is not needed.
    drop(std::hint::black_box(hash_with_salt(password, cost, DUMMY_SALT)));
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
    fn every_version_of_a_hash_is_accepted() {
        for version in ["$2a$", "$2b$", "$2x$", "$2y$", "$2$"] {
            let text = hash().replace("$2b$", version);
            assert!(matches(&text, "secret"), "{version}");
            assert!(!matches(&text, "Secret") && !matches(&text, ""), "{version}");
            assert!(matches(&format!("{text}\n"), "secret"), "{version}");
        }
    }

    #[test]
    fn a_hash_of_a_lower_cost_is_compared() {
        assert!(compare(Some(&Hash::parse(&hash()).unwrap()), b"secret", 6));
        assert!(!compare(None, b"secret", 6));
    }

    #[test]
    fn a_damaged_hash_matches_no_password() {
        let text = hash();
        for odd in [text.replace(&text[10..12], "!!"), text.replace("$04$", "$04!"), text.replace(&text[50..51], "é")]
        {
            let hash = Hash::parse(&odd).unwrap();
            assert!(!hash.is_intact() && !compare(Some(&hash), b"secret", 4), "{odd}");
        }
    }

    #[test]
    fn a_text_that_is_not_a_hash_is_refused() {
        let text = hash();
        for (odd, error) in [
            (String::new(), HashError::Length),
            (text.replace("$2b$", "x2b$"), HashError::Version),
            (text.replace("$04$", "$xx$"), HashError::Cost),
            ("é".repeat(40), HashError::Version),
            (format!("$2é{text}"), HashError::Cost),
        ] {
            assert_eq!(Hash::parse(&odd).err(), Some(error), "{odd}");
        }
    }
}
