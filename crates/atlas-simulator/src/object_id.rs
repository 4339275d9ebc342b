//! Ids as Atlas makes them: 24 hexadecimal digits, of which the first eight are the second of creation.

use std::time::{SystemTime, UNIX_EPOCH};

/// The id of something created at `created`; `serial` keeps apart what was created in the same second.
pub(super) fn new(created: SystemTime, serial: u64) -> String {
    let seconds = created.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{:08x}{serial:016x}", seconds & 0xffff_ffff)
}

pub(super) fn is_valid(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_id_begins_with_its_second_of_creation() {
        let created = UNIX_EPOCH + Duration::from_secs(0x5f3a_5563);
        assert_eq!(new(created, 0x2a), "5f3a5563000000000000002a");
        assert!(is_valid(&new(created, u64::MAX)));
    }

    #[test]
    fn only_24_hexadecimal_digits_are_an_id() {
        assert!(is_valid("5f3a556351db42631e16f33a"));
        assert!(!is_valid("5f3a556351db42631e16f33"));
        assert!(!is_valid("5f3a556351db42631e16f33z"));
    }
}
