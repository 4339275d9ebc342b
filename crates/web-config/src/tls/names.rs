//! Versions, ciphers and curves of TLS by the names of Go, as far as rustls supports them.

use std::sync::Arc;

use rustls::{
    ALL_VERSIONS, CipherSuite, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    version::{TLS12, TLS13},
};

use crate::go_yaml;
use yaml_reader::{Section, Shown};

/// The ciphers that Go considers secure. The toolkit accepts no others.
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

/// The minor versions of TLS 1.x.
const VERSIONS: [(&str, u8); 4] = [("TLS10", 0), ("TLS11", 1), ("TLS12", 2), ("TLS13", 3)];

/// HTTP/2 over TLS 1.2 requires one of these.
const HTTP2_CIPHERS: [&str; 2] = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"];

/// The versions, ciphers and curves in use.
pub(crate) struct TlsParameters {
    pub(crate) provider: Arc<CryptoProvider>,
    pub(crate) versions: Vec<&'static SupportedProtocolVersion>,
}

/// The names in the section. They are checked against each other only if TLS is on.
pub(crate) struct TlsNames {
    min: u8,
    max: u8,
    ciphers: Vec<(&'static str, CipherSuite)>,
    curves: Vec<(&'static str, NamedGroup)>,
}

impl TlsNames {
    pub(crate) fn take(section: &mut Section<'_>) -> Self {
        Self {
            min: version(section, "min_version").unwrap_or(2),
            max: version(section, "max_version").unwrap_or(3),
            ciphers: known(section, "cipher_suites", &CIPHERS),
            curves: known(section, "curve_preferences", &CURVES),
        }
    }

    /// What rustls supports of the names. Notes a fault if nothing is left.
    pub(crate) fn parameters(&self, section: &Section<'_>, http2: bool) -> TlsParameters {
        let versions = self.versions(section);
        let mut provider = aws_lc_rs::default_provider();
        let suits_http2 = |(name, _): &(&str, CipherSuite)| HTTP2_CIPHERS.contains(name);
        if http2 && self.min < 3 && !self.ciphers.is_empty() && !self.ciphers.iter().any(suits_http2) {
            let needed = HTTP2_CIPHERS.join(" or ");
            section.fault("cipher_suites", format!("must have {needed} unless `http_server_config.http2` is false"));
        }
        if !self.ciphers.is_empty() {
            let suites = self.suites(section, &provider);
            if suites.iter().any(|suite| versions.contains(&suite.version())) {
                provider.cipher_suites = suites;
            } else if !versions.is_empty() {
                section.fault("cipher_suites", none_supported(&self.ciphers, " in the enabled versions of TLS"));
            }
        }
        if !self.curves.is_empty() {
            let find = |group: &NamedGroup| aws_lc_rs::ALL_KX_GROUPS.iter().find(|have| have.name() == *group).copied();
            let groups = supported(section, "curve_preferences", &self.curves, find);
            if groups.is_empty() {
                section.fault("curve_preferences", none_supported(&self.curves, ""));
            } else {
                provider.kx_groups = groups;
            }
        }
        // After a fault the defaults stay, so that the certificate is checked as well.
        let versions = if versions.is_empty() { ALL_VERSIONS.to_vec() } else { versions };
        TlsParameters { provider: Arc::new(provider), versions }
    }

    fn versions(&self, section: &Section<'_>) -> Vec<&'static SupportedProtocolVersion> {
        if self.max < 2 {
            section.fault("max_version", "must be `TLS12` or `TLS13`; older versions are not supported");
        } else if self.max < self.min {
            section.fault("max_version", "must not be below `min_version`");
        } else if self.min < 2 {
            section.warn("min_version", "TLS 1.0 and 1.1 are not supported; the oldest version in use is TLS 1.2");
        }
        let supported = [(2, &TLS12), (3, &TLS13)].into_iter();
        supported.filter(|(minor, _)| (self.min..=self.max).contains(minor)).map(|(_, version)| version).collect()
    }

    /// A list without a cipher of TLS 1.3 leaves all of TLS 1.3 in use, as in Go, where these cannot be chosen.
    fn suites(&self, section: &Section<'_>, provider: &CryptoProvider) -> Vec<SupportedCipherSuite> {
        let find = |id: &CipherSuite| provider.cipher_suites.iter().find(|suite| suite.suite() == *id).copied();
        let mut suites = supported(section, "cipher_suites", &self.ciphers, find);
        if !suites.is_empty() && suites.iter().all(|suite| suite.tls13().is_none()) {
            suites.extend(provider.cipher_suites.iter().filter(|suite| suite.tls13().is_some()));
        }
        suites
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

/// The entries of a table that a list names. A name that is not in the table is a fault.
fn known<T: Copy>(section: &mut Section<'_>, key: &'static str, table: &[(&'static str, T)]) -> Vec<(&'static str, T)> {
    let list = go_yaml::list(section, key).unwrap_or_default();
    let entry = |name: String| {
        let entry = table.iter().find(|(known, _)| *known == name);
        if entry.is_none() {
            section.fault(key, format!("`{}` is unknown; known here: {}", Shown::from(&*name), joined(table)));
        }
        entry.copied()
    };
    list.into_iter().filter_map(entry).collect()
}

/// What rustls supports of a list, in the order of the list. Each other name is a warning.
fn supported<I, T>(section: &Section<'_>, key: &str, list: &[(&str, I)], find: impl Fn(&I) -> Option<T>) -> Vec<T> {
    let found = list.iter().filter_map(|(name, id)| {
        let found = find(id);
        if found.is_none() {
            section.warn(key, format!("`{name}` is ignored: rustls does not support it"));
        }
        found
    });
    found.collect()
}

fn none_supported<T>(list: &[(&str, T)], scope: &str) -> String {
    format!("rustls supports none of {}{scope}", joined(list))
}

fn joined<T>(list: &[(&str, T)]) -> String {
    list.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}
