//! Go's names of ciphers, curves and versions, and what rustls has of them.

use rustls::{
    ALL_VERSIONS, CipherSuite, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

use crate::go_yaml;
use yaml_reader::{ConfigFaults, Section};

/// What Go calls secure.
const CIPHERS: [(&str, CipherSuite); 13] = [
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
];

const CURVES: [(&str, NamedGroup); 4] = [
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
    ("CurveP521", NamedGroup::secp521r1),
    ("X25519", NamedGroup::X25519),
];

/// The minor versions of TLS 1.
const VERSIONS: [(&str, u8); 4] = [("TLS10", 0), ("TLS11", 1), ("TLS12", 2), ("TLS13", 3)];

/// Of these, HTTP/2 demands one from whoever chooses the ciphers of TLS 1.2.
const HTTP2_CIPHERS: [&str; 2] = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

/// What is spoken.
pub(crate) struct Speech {
    pub(crate) provider: CryptoProvider,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
}

/// Takes the keys; what they say only counts where TLS is on.
pub(crate) struct Names {
    min: u8,
    max: u8,
    ciphers: Vec<String>,
    curves: Vec<String>,
}

impl Names {
    pub(crate) fn take(section: &mut Section<'_>) -> Self {
        let min = version(section, "min_version").unwrap_or(2);
        let max = version(section, "max_version").unwrap_or(3);
        let ciphers = known(section, "cipher_suites", &CIPHERS.map(|(name, _)| name));
        let curves = known(section, "curve_preferences", &CURVES.map(|(name, _)| name));
        Self { min, max, ciphers, curves }
    }

    /// What rustls can do of it.
    pub(crate) fn speech(&self, section: &Section<'_>, http2: bool, warnings: &ConfigFaults) -> Speech {
        let versions = self.versions(section, warnings);
        let mut provider = aws_lc_rs::default_provider();
        if http2 && self.min < 3 && !self.ciphers.is_empty() && !HTTP2_CIPHERS.iter().any(|name| self.names(name)) {
            let needed = HTTP2_CIPHERS.join(" or ");
            section.fault("cipher_suites", format!("must have {needed} unless `http_server_config.http2` is false"));
        }
        if !self.ciphers.is_empty() {
            let suites = self.suites(section, &provider, warnings);
            let fits = |suite: &SupportedCipherSuite| versions.contains(&suite.version());
            if suites.iter().any(fits) {
                provider.cipher_suites = suites;
            } else if !versions.is_empty() {
                section.fault("cipher_suites", nothing(&self.ciphers, " for the versions of TLS that are spoken"));
            }
        }
        if !self.curves.is_empty() {
            let have = |group: &NamedGroup| aws_lc_rs::ALL_KX_GROUPS.iter().find(|have| have.name() == *group).copied();
            let groups = left(section, "curve_preferences", &self.curves, &CURVES, have, warnings);
            if groups.is_empty() {
                section.fault("curve_preferences", nothing(&self.curves, ""));
            } else {
                provider.kx_groups = groups;
            }
        }
        // With a fault, so that the certificate can be looked at all the same.
        let versions = if versions.is_empty() { ALL_VERSIONS.to_vec() } else { versions };
        Speech { provider, versions }
    }

    fn versions(&self, section: &Section<'_>, warnings: &ConfigFaults) -> Vec<&'static SupportedProtocolVersion> {
        if self.max < 2 {
            section.fault("max_version", "nothing older than TLS 1.2 is spoken here; must be `TLS12` or `TLS13`");
        } else if self.max < self.min {
            section.fault("max_version", "must not be below `min_version`");
        } else if self.min < 2 {
            let message = "TLS 1.0 and 1.1 are left out: nothing older than TLS 1.2 is spoken here";
            warnings.note(section.path_of("min_version"), message);
        }
        let spoken = [(2, &TLS12), (3, &TLS13)].into_iter();
        spoken.filter(|(minor, _)| (self.min..=self.max).contains(minor)).map(|(_, version)| version).collect()
    }

    /// A list that names no cipher of TLS 1.3 leaves all of them, as with Go, where they cannot be chosen at all.
    fn suites(
        &self,
        section: &Section<'_>,
        provider: &CryptoProvider,
        warnings: &ConfigFaults,
    ) -> Vec<SupportedCipherSuite> {
        let have = |id: &CipherSuite| provider.cipher_suites.iter().find(|suite| suite.suite() == *id).copied();
        let mut suites = left(section, "cipher_suites", &self.ciphers, &CIPHERS, have, warnings);
        if suites.is_empty() {
            return suites;
        }
        if !suites.iter().any(|suite| suite.tls13().is_some()) {
            suites.extend(provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some()));
        }
        suites
    }

    fn names(&self, cipher: &str) -> bool {
        self.ciphers.iter().any(|name| name == cipher)
    }
}

fn version(section: &mut Section<'_>, key: &'static str) -> Option<u8> {
    let name = go_yaml::text(section, key)?;
    let found = VERSIONS.iter().find(|(known, _)| *known == name).map(|(_, minor)| *minor);
    if found.is_none() {
        section.fault(key, "must be `TLS10`, `TLS11`, `TLS12` or `TLS13`");
    }
    found
}

/// The names of a list; one that Go does not have is a fault.
fn known(section: &mut Section<'_>, key: &'static str, names: &[&str]) -> Vec<String> {
    let mut list = go_yaml::list(section, key).unwrap_or_default();
    list.retain(|name| {
        let is_known = names.contains(&name.as_str());
        if !is_known {
            section.fault(key, format!("`{name}` is unknown; known here: {}", names.join(", ")));
        }
        is_known
    });
    list
}

fn nothing(names: &[String], whereto: &str) -> String {
    format!("nothing is left: rustls has none of {}{whereto}", names.join(", "))
}

/// What rustls has of a list, in its order. What it does not have is left out with a warning.
fn left<I, T>(
    section: &Section<'_>,
    key: &str,
    names: &[String],
    table: &[(&str, I)],
    have: impl Fn(&I) -> Option<T>,
    warnings: &ConfigFaults,
) -> Vec<T> {
    let mut left = Vec::new();
    for name in names {
        let entry = table.iter().find(|(known, _)| known == name);
        match entry.and_then(|(_, id)| have(id)) {
            Some(had) => left.push(had),
            None => warnings.note(section.path_of(key), format!("`{name}` is left out: rustls does not have it")),
        }
    }
    left
}
