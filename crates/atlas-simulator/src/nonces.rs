//! The nonces that were issued, and how far each was used.

use std::{collections::HashMap, iter::repeat_with, time::Instant};

use super::DigestSettings;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Beyond this many nonces all are forgotten: clients then see a stale one, which they can bear.
const MAX_NONCES: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Nonces(HashMap<String, Nonce>);

#[derive(Debug)]
pub(super) struct Nonce {
    issued: Instant,
    last_count: u32,
    uses: u32,
}

impl Nonces {
    /// A nonce that was never used: 32 characters of base64, as recorded.
    pub(super) fn issue(&mut self, now: Instant) -> String {
        if self.0.len() >= MAX_NONCES {
            self.0.clear();
        }
        let nonce: String = repeat_with(|| char::from(BASE64[fastrand::usize(..64)])).take(32).collect();
        let unused = Nonce { issued: now, last_count: 0, uses: 0 };
        self.0.insert(nonce.clone(), unused);
        nonce
    }

    pub(super) fn get_mut(&mut self, nonce: &str) -> Option<&mut Nonce> {
        self.0.get_mut(nonce)
    }
}

impl Nonce {
    pub(super) fn is_fresh(&self, settings: &DigestSettings, now: Instant) -> bool {
        now.duration_since(self.issued) < settings.nonce_lifetime
            && settings.nonce_uses.is_none_or(|uses| self.uses < uses)
    }

    /// Uses the nonce once, with this count where there is one.
    pub(super) fn accept(&mut self, settings: &DigestSettings, count: Option<u32>) -> bool {
        let accepted = !settings.qop || self.advance(count);
        self.uses += u32::from(accepted);
        accepted
    }

    /// The first count must be one and every other higher than the one before.
    fn advance(&mut self, count: Option<u32>) -> bool {
        let fits = |count: &u32| {
            if self.last_count == 0 { *count == 1 } else { *count > self.last_count }
        };
        let count = count.filter(fits);
        self.last_count = count.unwrap_or(self.last_count);
        count.is_some()
    }
}
