//! Client certificates, checked as by Go's crypto/x509. `make check-web-config` checks the same ones with the toolkit.

use std::{fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::{prelude::*, sample::Index};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, OtherNameValue,
    PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, SanType, SigningKey, date_time_ymd,
};
use rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, Connection, RootCertStore, ServerConnection,
    client::WantsClientCert,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, ServerName},
    server::danger::ClientCertVerifier,
    sign::{CertifiedKey, SingleCertAndKey},
};
use serde_json::json;
use strum::VariantArray;

use super::*;
use crate::{
    WebConfig,
    tls::client_auth::{ClientAuth, ClientVerifier},
};

/// The name of a client that may connect.
const NAME: &str = "prom.example";

/// Differences from the toolkit, in the words of docs/web.md.
const CA_AS_CLIENT: &str = "a client's certificate that is a CA itself (`CA:TRUE`) and is not listed";
const VERSION_1: &str = "a CA of X.509 version 1";
const CONSTRAINED_NAMES: &str = "email addresses or URIs as names, below a CA that constrains such names";
const POLICIES: &str = "policy constraints, and certificate policies that are critical";
const INTERMEDIATES: &str = "more than six intermediate CAs";

type Certificate = CertifiedIssuer<'static, KeyPair>;

/// The certificates of `client_ca_file` and those that a client sends, and whether it is accepted.
struct Cell {
    name: String,
    listed: String,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
    sans: Option<&'static [&'static str]>,
    /// By the toolkit. If there is a difference, the exporter rejects it instead.
    accepted: bool,
    difference: Option<&'static str>,
}

impl Cell {
    fn new(name: impl Into<String>, accepted: bool, listed: &[&Certificate], chain: &[&Certificate]) -> Self {
        Self {
            name: name.into(),
            listed: listed.iter().map(|certificate| pem(certificate.der())).collect(),
            chain: chain.iter().map(|certificate| certificate.der().clone()).collect(),
            key: chain[0].key().serialize_der(),
            sans: Some(&[NAME]),
            accepted,
            difference: None,
        }
    }

    fn differs(self, difference: &'static str) -> Self {
        Self { difference: Some(difference), ..self }
    }

    fn with_any_name(self) -> Self {
        Self { sans: None, ..self }
    }

    fn expected(&self) -> bool {
        self.accepted && self.difference.is_none()
    }
}

/// What may be wrong with a CA.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum Ca {
    Good,
    WithKeyUsage,
    WithPurpose,
    NamesOfTheClient,
    Expired,
    Future,
    /// `CA:FALSE`.
    Refuted,
    /// Without basic constraints.
    Plain,
    NoKeyCertSign,
    OtherPurpose,
    OtherNames,
    NoCaBelow,
    OneCaBelow,
}

impl Ca {
    fn params(self, name: &str) -> CertificateParams {
        let mut params = ca(name);
        match self {
            Self::Good => {}
            Self::WithKeyUsage => params.key_usages = vec![KeyUsagePurpose::KeyCertSign],
            Self::WithPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
            Self::NamesOfTheClient => {
                params.name_constraints = Some(permitted(GeneralSubtree::DnsName("example".into())));
            }
            Self::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Self::Future => params.not_before = date_time_ymd(2090, 1, 1),
            Self::Refuted => params.is_ca = IsCa::ExplicitNoCa,
            Self::Plain => params.is_ca = IsCa::NoCa,
            Self::NoKeyCertSign => params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
            Self::OtherPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::OtherNames => params.name_constraints = Some(permitted(GeneralSubtree::DnsName("other".into()))),
            Self::NoCaBelow => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)),
            Self::OneCaBelow => params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)),
        }
        params
    }

    /// Whether it admits a client that is named `NAME`.
    fn admits(self, intermediates: usize) -> bool {
        match self {
            Self::Good | Self::WithKeyUsage | Self::WithPurpose | Self::NamesOfTheClient => true,
            Self::Expired
            | Self::Future
            | Self::Refuted
            | Self::Plain
            | Self::NoKeyCertSign
            | Self::OtherPurpose
            | Self::OtherNames => false,
            Self::NoCaBelow => intermediates == 0,
            Self::OneCaBelow => intermediates <= 1,
        }
    }
}

/// What may be wrong with a client's certificate.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum Client {
    Good,
    WithPurpose,
    AnyPurpose,
    Expired,
    Future,
    OtherPurpose,
    OtherName,
    NoName,
    Ca,
}

impl Client {
    fn params(self) -> CertificateParams {
        let mut params = client(NAME);
        match self {
            Self::Good => {}
            Self::WithPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
            Self::AnyPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any],
            Self::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Self::Future => params.not_before = date_time_ymd(2090, 1, 1),
            Self::OtherPurpose => params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth],
            Self::OtherName => params = client("prom.other"),
            Self::NoName => params.subject_alt_names.clear(),
            Self::Ca => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
        }
        params
    }

    fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::WithPurpose | Self::AnyPurpose | Self::Ca)
    }
}

/// Which certificates are in `client_ca_file`.
#[derive(Clone, Copy, Debug, PartialEq, VariantArray)]
enum Listed {
    Authority,
    Intermediate,
    Client,
    AuthorityAndClient,
    /// With the client's name and key, but other content.
    Twin,
    Stranger,
}

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn changed(mut params: CertificateParams, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    change(&mut params);
    params
}

fn client(name: &str) -> CertificateParams {
    changed(named(name), |params| params.is_ca = IsCa::ExplicitNoCa)
}

fn ca(name: &str) -> CertificateParams {
    changed(named(name), |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.subject_alt_names.clear();
    })
}

fn permitted(subtree: GeneralSubtree) -> NameConstraints {
    NameConstraints { permitted_subtrees: vec![subtree], excluded_subtrees: Vec::new() }
}

/// A certificate with a new key; self-signed if there is no issuer.
fn issue(params: CertificateParams, issuer: Option<&Certificate>) -> Certificate {
    issue_to(KeyPair::generate().unwrap(), params, issuer)
}

fn issue_to(key: KeyPair, params: CertificateParams, issuer: Option<&Certificate>) -> Certificate {
    match issuer {
        Some(issuer) => CertifiedIssuer::signed_by(params, key, issuer),
        None => CertifiedIssuer::self_signed(params, key),
    }
    .unwrap()
}

fn key_of(certificate: &Certificate) -> KeyPair {
    KeyPair::try_from(certificate.key().serialize_der()).unwrap()
}

fn pem(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

/// Every authority with every intermediate, client and list.
fn matrix() -> Vec<Cell> {
    let stranger = issue(ca("stranger"), None);
    let mut cells = Vec::new();
    for &authority in Ca::VARIANTS {
        let root = issue(authority.params("authority"), None);
        for intermediate in std::iter::once(None).chain(Ca::VARIANTS.iter().copied().map(Some)) {
            let between = intermediate.map(|kind| issue(kind.params("intermediate"), Some(&root)));
            for &client in Client::VARIANTS {
                let leaf = issue(client.params(), Some(between.as_ref().unwrap_or(&root)));
                let twin = issue_to(key_of(&leaf), client.params(), None);
                let chain: Vec<_> = std::iter::once(&leaf).chain(&between).collect();
                for &listed in Listed::VARIANTS {
                    let certificates = match (listed, &between) {
                        (Listed::Authority, _) => vec![&root],
                        (Listed::Intermediate, Some(between)) => vec![between],
                        (Listed::Intermediate, None) => continue,
                        (Listed::Client, _) => vec![&leaf],
                        (Listed::AuthorityAndClient, _) => vec![&root, &leaf],
                        (Listed::Twin, _) => vec![&twin],
                        (Listed::Stranger, _) => vec![&stranger],
                    };
                    let below = chain.len() - 1;
                    let accepted = client.is_good()
                        && match listed {
                            Listed::Authority => {
                                authority.admits(below)
                                    && intermediate.is_none_or(|intermediate| intermediate.admits(0))
                            }
                            Listed::Intermediate => intermediate.is_some_and(|intermediate| intermediate.admits(0)),
                            Listed::Client | Listed::AuthorityAndClient => true,
                            Listed::Twin | Listed::Stranger => false,
                        };
                    let name = format!("{listed:?} listed: {client:?} client, {intermediate:?} of {authority:?}");
                    let cell = Cell::new(name, accepted, &certificates, &chain);
                    let differs =
                        accepted && client == Client::Ca && [Listed::Authority, Listed::Intermediate].contains(&listed);
                    cells.push(if differs { cell.differs(CA_AS_CLIENT) } else { cell });
                }
            }
        }
    }
    cells
}

/// What a listed client can sign, and what has the name and the key of a listed certificate.
fn impostors() -> Vec<Cell> {
    let root = issue(ca("authority"), None);
    let listed = issue(client(NAME), None);
    let expired = issue(Client::Expired.params(), None);
    let plain = issue(changed(client(NAME), |params| params.is_ca = IsCa::NoCa), None);
    let own = issue(Client::Ca.params(), None);
    let other = issue(client("other.example"), None);
    let mut cells = Vec::new();
    for (name, issuer) in [("listed", &listed), ("expired", &expired), ("plain", &plain), ("other", &other)] {
        let below = issue(client(NAME), Some(issuer));
        cells.push(Cell::new(format!("signed by a listed client: {name}"), false, &[&root, issuer], &[&below]));
        cells.push(Cell::new(format!("also sent: {name}"), false, &[&root, issuer], &[&below, issuer]));
    }
    let below = issue(client("x.example"), Some(&own));
    cells.push(Cell::new("signed by a listed client that is a CA", true, &[&own], &[&below]).with_any_name());
    cells.push(Cell::new("a listed CA as client", true, &[&own], &[&own]));
    cells.push(Cell::new("a listed CA as client, sent twice", true, &[&own], &[&own, &own]));
    let renewed = issue_to(key_of(&listed), client(NAME), None);
    cells.push(Cell::new("renewed but not listed", false, &[&listed], &[&renewed]));
    let namesake = issue_to(key_of(&root), changed(ca("authority"), |params| params.is_ca = IsCa::NoCa), Some(&root));
    cells.push(Cell::new("with the CA's name and key", false, &[&root], &[&namesake]).with_any_name());
    let mut params = client(NAME);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let namesake = issue_to(key_of(&root), params, Some(&root));
    cells.push(Cell::new("with the CA's name and key, and another alternative name", true, &[&root], &[&namesake]));
    let forged = issue(ca("authority"), None);
    let below = issue(client(NAME), Some(&forged));
    cells.push(Cell::new("of another CA with the same name", false, &[&root], &[&below, &forged]));
    cells
}

/// Chains of several CAs, and CAs that were renewed.
fn chains() -> Vec<Cell> {
    let mut cells = Vec::new();
    let root = issue(ca("authority"), None);
    let expired = issue_to(key_of(&root), Ca::Expired.params("authority"), None);
    let leaf = issue(client(NAME), Some(&root));
    cells.push(Cell::new("renewed CA", true, &[&root], &[&leaf]));
    cells.push(Cell::new("renewed CA after its predecessor", true, &[&expired, &root], &[&leaf]));
    cells.push(Cell::new("renewed CA before its predecessor", true, &[&root, &expired], &[&leaf]));
    cells.push(Cell::new("predecessor alone", false, &[&expired], &[&leaf]));
    cells.push(Cell::new("predecessor listed, renewed CA sent", false, &[&expired], &[&leaf, &root]));
    for (name, kinds, accepted) in [
        ("two intermediates", vec![Ca::Good, Ca::Good, Ca::Good], true),
        ("two intermediates of a CA for one", vec![Ca::OneCaBelow, Ca::Good, Ca::Good], false),
        ("an intermediate of one for none", vec![Ca::Good, Ca::NoCaBelow, Ca::Good], false),
        ("an intermediate of one for one", vec![Ca::Good, Ca::OneCaBelow, Ca::Good], true),
        ("an upper intermediate without keyCertSign", vec![Ca::Good, Ca::NoKeyCertSign, Ca::Good], false),
        ("an upper intermediate with other names", vec![Ca::Good, Ca::OtherNames, Ca::Good], false),
        ("six intermediates", vec![Ca::Good; 7], true),
        ("seven intermediates", vec![Ca::Good; 8], true),
    ] {
        let mut cas: Vec<Certificate> = Vec::new();
        for (index, kind) in kinds.into_iter().enumerate() {
            cas.push(issue(kind.params(&format!("CA {index}")), cas.last()));
        }
        let leaf = issue(client(NAME), cas.last());
        let chain: Vec<_> = std::iter::once(&leaf).chain(cas[1..].iter().rev()).collect();
        let cell = Cell::new(name, accepted, &[&cas[0]], &chain);
        cells.push(if chain.len() > 7 { cell.differs(INTERMEDIATES) } else { cell });
        if chain.len() == 3 {
            let unordered = [chain[0], chain[2], &root, chain[1]];
            cells.push(Cell::new(format!("{name}, unordered"), accepted, &[&cas[0]], &unordered));
            cells.push(Cell::new(format!("{name}, incomplete"), false, &[&cas[0]], &chain[..2]));
        }
    }
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512, &PKCS_ED25519] {
        let key = || KeyPair::generate_for(algorithm).unwrap();
        let root = issue_to(key(), ca("authority"), None);
        let leaf = issue_to(key(), client(NAME), Some(&root));
        cells.push(Cell::new(format!("{algorithm:?}"), true, &[&root], &[&leaf]));
    }
    cells
}

/// Names of each kind, with constraints and without.
fn names() -> Vec<Cell> {
    let mut cells = Vec::new();
    let address = |last: u8| SanType::IpAddress([192, 0, 2, last].into());
    let email = || SanType::Rfc822Name("prom@example".try_into().unwrap());
    let uri = || SanType::URI("https://prom.example/x".try_into().unwrap());
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let subnet = || GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([192, 0, 2, 0], 25));
    let excluded = NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example".into()), subnet()],
        excluded_subtrees: vec![GeneralSubtree::DnsName("x.example".into())],
    };
    let dotted = permitted(GeneralSubtree::DnsName(".example".into()));
    let emails = permitted(GeneralSubtree::Rfc822Name("example".into()));
    let mut directory = DistinguishedName::new();
    directory.push(DnType::CommonName, "client");
    let directory = permitted(GeneralSubtree::DirectoryName(directory));
    for (name, constraints, san, accepted, differs) in [
        ("an address inside", Some(&excluded), address(7), true, false),
        ("an address outside", Some(&excluded), address(200), false, false),
        ("a name outside", Some(&excluded), dns("prom.other"), false, false),
        ("an excluded name", Some(&excluded), dns("a.x.example"), false, false),
        ("a name that ends like an excluded one", Some(&excluded), dns("xx.example"), true, false),
        ("the name itself", Some(&excluded), dns("example"), true, false),
        ("the name itself with a dot", Some(&dotted), dns("example"), false, false),
        ("below a dot", Some(&dotted), dns("a.example"), true, false),
        ("another kind of name", Some(&excluded), email(), true, false),
        ("an email address", None, email(), true, false),
        ("an email address inside", Some(&emails), email(), true, true),
        ("a URI", None, uri(), true, false),
        ("a constrained subject", Some(&directory), dns(NAME), false, false),
    ] {
        let root = issue(changed(ca("authority"), |params| params.name_constraints = constraints.cloned()), None);
        let leaf = issue(changed(client("client"), |params| params.subject_alt_names = vec![san]), Some(&root));
        let cell = Cell::new(name, accepted, &[&root], &[&leaf]).with_any_name();
        cells.push(if differs { cell.differs(CONSTRAINED_NAMES) } else { cell });
    }
    for (allowed, accepted) in [
        (["192.0.2.7"], true),
        (["prom@example"], true),
        (["https://prom.example/x"], true),
        ([NAME], true),
        (["*.example"], false),
        (["Prom.example"], false),
        (["client"], false),
    ] {
        let root = issue(ca("authority"), None);
        let subject_alt_names = vec![dns(NAME), address(7), email(), uri()];
        let leaf = issue(changed(client("client"), |params| params.subject_alt_names = subject_alt_names), Some(&root));
        let cell = Cell::new(format!("allowed: {allowed:?}"), accepted, &[&root], &[&leaf]);
        cells.push(Cell { sans: Some(allowed.to_vec().leak()), ..cell });
    }
    let root = issue(ca("authority"), None);
    for (allowed, accepted) in [("https://Prom.example", true), ("HTTPS://Prom.example", false)] {
        let uri = SanType::URI("HTTPS://Prom.example".try_into().unwrap());
        let leaf = issue(changed(client("client"), |params| params.subject_alt_names = vec![uri]), Some(&root));
        let cell = Cell::new(format!("allowed: {allowed}"), accepted, &[&root], &[&leaf]);
        cells.push(Cell { sans: Some(vec![allowed].leak()), ..cell });
    }
    // A valid name, and one with this tag and content.
    for (name, tag, contents, accepted) in [
        ("an IPv4 address", 0x87, b"\xc0\0\x02\x07".as_slice(), true),
        ("an address of five bytes", 0x87, b"\xc0\0\x02\x07\x07", false),
        ("an address of no bytes", 0x87, b"", false),
        ("a name that is not ASCII", 0x82, "prom.exämple".as_bytes(), false),
        ("a name that is not UTF-8", 0x82, b"prom.ex\xffample", false),
        ("an email address that is not UTF-8", 0x81, b"prom@ex\xffample", false),
    ] {
        let names = [wrapped(0x82, NAME.as_bytes()), wrapped(tag, contents)].concat();
        let params = changed(client(NAME), |params| params.subject_alt_names.clear());
        let params = with(params, extension(&[2, 5, 29, 17], false, &wrapped(0x30, &names)));
        let leaf = issue(params, Some(&root));
        cells.push(Cell::new(name, accepted, &[&root], &[&leaf]));
        cells.push(Cell::new(format!("{name}, listed"), accepted, &[&leaf], &[&leaf]));
    }
    let root = issue(
        with(ca("authority"), extension(&[2, 5, 29, 30], true, b"\x30\x0d\xa0\x0b\x30\x09\x86\x07example")),
        None,
    );
    let leaf = issue(changed(client("client"), |params| params.subject_alt_names = vec![uri()]), Some(&root));
    cells.push(Cell::new("a URI inside", true, &[&root], &[&leaf]).with_any_name().differs(CONSTRAINED_NAMES));
    cells
}

fn extension(oid: &[u64], critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    extension
}

fn with(params: CertificateParams, extension: CustomExtension) -> CertificateParams {
    changed(params, |params| params.custom_extensions = vec![extension])
}

/// Extensions that impose requirements, at each place of a chain.
fn extensions() -> Vec<Cell> {
    const POLICY: &[u8] = b"\x30\x08\x30\x06\x06\x04\x55\x1d\x20\x00";
    let mut cells = Vec::new();
    // Whether it is accepted in an authority, an intermediate, a client, and a listed client: by the toolkit, and here.
    for (name, extension, accepted, here) in [
        ("unknown", extension(&[1, 2, 3, 4], false, b"\x05\0"), [true; 4], true),
        ("unknown, critical", extension(&[1, 2, 3, 4], true, b"\x05\0"), [false; 4], false),
        ("a policy", extension(&[2, 5, 29, 32], false, POLICY), [true; 4], true),
        ("a policy, critical", extension(&[2, 5, 29, 32], true, POLICY), [true; 4], false),
        (
            "a required policy",
            extension(&[2, 5, 29, 36], false, b"\x30\x03\x80\x01\0"),
            [true, false, false, true],
            false,
        ),
        ("no policy mapping", extension(&[2, 5, 29, 36], false, b"\x30\x03\x81\x01\0"), [true; 4], false),
    ] {
        let at = |place, params| if place { with(params, extension.clone()) } else { params };
        for (place, accepted) in accepted.into_iter().enumerate() {
            let root = issue(at(place == 0, ca("authority")), None);
            let between = issue(at(place == 1, ca("intermediate")), Some(&root));
            let leaf = issue(at(place >= 2, client(NAME)), Some(&between));
            let listed = if place == 3 { &leaf } else { &root };
            let cell = Cell::new(format!("{name}, at {place}"), accepted, &[listed], &[&leaf, &between]);
            cells.push(if accepted && !here { cell.differs(POLICIES) } else { cell });
        }
    }
    let root = issue(ca("authority"), None);
    let unknown = SanType::OtherName((vec![1, 2, 3, 4], OtherNameValue::Utf8String("x".into())));
    for (name, distinguished_name, accepted) in [
        ("with a subject", client("x").distinguished_name, true),
        ("without a subject", DistinguishedName::new(), false),
    ] {
        let params = changed(client(NAME), |params| {
            params.distinguished_name = distinguished_name;
            params.subject_alt_names = vec![unknown.clone()];
        });
        let leaf = issue(params, Some(&root));
        cells.push(
            Cell::new(format!("a name of an unknown kind, {name}"), accepted, &[&root], &[&leaf]).with_any_name(),
        );
        cells.push(Cell::new(format!("the same, listed, {name}"), accepted, &[&leaf], &[&leaf]).with_any_name());
    }
    let (listed, leaf) = version_1();
    let cell = Cell::new("a CA of version 1", true, &[], &[&leaf]).differs(VERSION_1);
    cells.push(Cell { listed, ..cell });
    cells
}

/// A CA without extensions, in PEM format, and a client's certificate that it signed.
fn version_1() -> (String, Certificate) {
    let modern = issue(ca("authority"), None);
    let leaf = issue(client(NAME), Some(&modern));
    let parsed = parse(modern.der()).unwrap();
    let parts = parsed.tbs_certificate.as_ref();
    // After the version, which has five bytes in a header of four, and before the extensions.
    let start = 4 + 5;
    let end = parsed.public_key().raw.as_ptr_range().end as usize - parts.as_ptr() as usize;
    let contents = wrapped(0x30, &parts[start..end]);
    let signature = wrapped(3, &[&[0], modern.key().sign(&contents).unwrap().as_slice()].concat());
    let algorithm = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    (pem(&wrapped(0x30, &[&contents, algorithm.as_slice(), &signature].concat())), leaf)
}

/// A value of DER of 128 to 65,535 bytes, or a shorter one.
fn wrapped(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let header: &[u8] = match (high, low) {
        (0, ..128) => &[tag, low],
        (0, _) => &[tag, 0x81, low],
        _ => &[tag, 0x82, high, low],
    };
    [header, contents].concat()
}

fn cells() -> Vec<Cell> {
    [matrix(), impostors(), chains(), names(), extensions()].into_iter().flatten().collect()
}

/// A server with a certificate of its own.
struct Server {
    certificate: Certificate,
    client: ClientConfigBuilder,
}

type ClientConfigBuilder = ConfigBuilder<ClientConfig, WantsClientCert>;

impl Server {
    fn new() -> Self {
        let certificate = issue(named("localhost"), None);
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let client = client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
        Self { certificate, client }
    }

    /// Whether the client's handshake succeeds.
    fn admits(&self, cell: &Cell) -> bool {
        let (certificate, key) = (self.certificate.pem(), self.certificate.key().serialize_pem());
        let sans = cell.sans.map(|sans| format!(", client_allowed_sans: {sans:?}")).unwrap_or_default();
        let text = format!(
            "tls_server_config: {{client_auth_type: RequireAndVerifyClientCert, client_ca: {:?}, cert: {certificate:?}, \
             key: {key:?}{sans}}}",
            cell.listed
        );
        let (web, _) = WebConfig::parse(&text, Path::new("")).unwrap();
        let config = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let config = config.block_on(web.server_config()).unwrap();
        let key = PrivateKeyDer::try_from(cell.key.clone()).unwrap();
        let key = aws_lc_rs::sign::any_supported_type(&key).unwrap();
        // Sends even a certificate that rustls would not accept itself.
        let resolver = SingleCertAndKey::from(CertifiedKey::new(cell.chain.clone(), key));
        let client = self.client.clone().with_client_cert_resolver(Arc::new(resolver));
        let name = ServerName::try_from("localhost").unwrap();
        let mut client = Connection::from(ClientConnection::new(Arc::new(client), name).unwrap());
        let mut server = Connection::from(ServerConnection::new(config).unwrap());
        while server.is_handshaking() || client.is_handshaking() {
            if send(&mut client, &mut server).is_err() {
                return false;
            }
            send(&mut server, &mut client).unwrap();
        }
        true
    }
}

fn send(from: &mut Connection, to: &mut Connection) -> Result<(), rustls::Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

/// Whether the certificates alone admit the client.
fn verify(cell: &Cell) -> bool {
    verify_as(ClientAuth::RequireAndVerifyClientCert, cell)
}

fn verify_as(client_auth: ClientAuth, cell: &Cell) -> bool {
    let cas = ClientCas::from_pem(cell.listed.as_bytes());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let sans = cell.sans.map(|sans| sans.iter().map(ToString::to_string).collect());
    let verifier = ClientVerifier::new(client_auth, sans, cas, provider);
    verifier.verify_client_cert(&cell.chain[0], &cell.chain[1..], UnixTime::now()).is_ok()
}

#[test]
fn a_client_enters_if_the_toolkit_admits_it_except_for_the_differences() {
    let cells = cells();
    assert!(cells.len() > 5000 && cells.iter().filter(|cell| cell.accepted).count() > 1000, "{}", cells.len());
    for cell in &cells {
        assert_eq!(verify(cell), cell.expected(), "{}", cell.name);
    }
}

#[test]
fn every_difference_from_the_toolkit_is_documented() {
    let page = include_str!("../../../../../docs/web.md");
    for difference in cells().iter().filter_map(|cell| cell.difference) {
        assert!(page.contains(difference), "{difference}");
    }
}

#[test]
fn the_validity_of_a_ca_and_of_a_listed_client_counts_at_the_handshake() {
    let short = |params| {
        changed(params, |params: &mut CertificateParams| {
            params.not_before = date_time_ymd(2030, 1, 1);
            params.not_after = date_time_ymd(2031, 1, 1);
        })
    };
    let root = issue(short(ca("authority")), None);
    let leaf = issue(client(NAME), Some(&root));
    let listed = issue(short(client(NAME)), None);
    let cas = ClientCas::from_pem(format!("{}{}", pem(root.der()), pem(listed.der())).as_bytes());
    for leaf in [&leaf, &listed] {
        for (year, month, accepted) in [(2029, 12, false), (2030, 1, true), (2030, 12, true), (2031, 2, false)] {
            let now = Duration::from_secs(date_time_ymd(year, month, 1).unix_timestamp().try_into().unwrap());
            let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
            let result = cas.verify(leaf.der(), &[], UnixTime::since_unix_epoch(now), algorithms);
            assert_eq!(result.is_ok(), accepted, "{year}-{month}: {result:?}");
        }
    }
}

#[test]
fn a_client_enters_however_many_are_listed() {
    let leaf = issue(client(NAME), None);
    let mut cell = Cell::new("one of many", true, &[&leaf], &[&leaf]);
    let key = KeyPair::generate().unwrap();
    for number in 0..700 {
        let other = client(&format!("{number}{}", ".x".repeat(30))).self_signed(&key).unwrap();
        cell.listed.push_str(&pem(other.der()));
    }
    assert!(Server::new().admits(&cell));
}

proptest! {
    #[test]
    fn no_certificate_causes_a_panic(changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4)) {
        let leaf = issue(with(client(NAME), extension(&[2, 5, 29, 36], false, b"\x30\x03\x80\x01\0")), None);
        let mut der = leaf.der().to_vec();
        for (index, byte) in changes {
            let index = index.index(der.len());
            der[index] = byte;
        }
        let mut cell = Cell::new("changed", false, &[&leaf], &[&leaf]);
        cell.listed.push_str(&pem(&der));
        cell.chain = vec![der.into()];
        for client_auth in [ClientAuth::RequireAndVerifyClientCert, ClientAuth::RequireAnyClientCert] {
            verify_as(client_auth, &cell);
        }
    }
}

/// Writes every cell and whether the exporter admits the client, for `make check-web-config`.
#[test]
#[ignore = "takes long, and writes a file for the toolkit"]
fn write_for_the_toolkit() {
    let path = std::env::var("CLIENT_CERTIFICATES").expect("CLIENT_CERTIFICATES is the file to write");
    let server = Server::new();
    let cells = cells().into_iter().map(|cell| {
        let accepted = server.admits(&cell);
        assert_eq!(accepted, cell.expected(), "{}", cell.name);
        json!({
            "Name": cell.name,
            "Listed": cell.listed,
            "AllowedSANs": cell.sans,
            "Chain": cell.chain.iter().map(|der| STANDARD.encode(der)).collect::<Vec<_>>(),
            "Key": STANDARD.encode(&cell.key),
            "Accepted": accepted,
            "Difference": cell.difference.unwrap_or_default(),
        })
    });
    fs::write(path, serde_json::to_vec(&cells.collect::<Vec<_>>()).unwrap()).unwrap();
}
