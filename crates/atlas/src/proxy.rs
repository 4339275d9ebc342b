//! The proxy that requests go through: of the config, or of the environment as other programs read it.

use std::{fmt, net::IpAddr, str::FromStr};

use hyper::Uri;
use ipnet::IpNet;
use url::{Host, ParseError, Url};

/// The URL of a proxy. It may contain a password.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// Whether the URL contains a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.0.password().is_some()
    }

    pub(crate) fn as_url(&self) -> &Url {
        &self.0
    }

    /// Parses a value of the environment, where `http://` may be missing.
    fn from_variable(text: &str) -> Result<Self, InvalidProxy> {
        match Url::parse(text) {
            Err(ParseError::RelativeUrlWithoutBase) => format!("http://{text}").parse(),
            // The host of `proxy:3128` looks like a scheme.
            Ok(url) if url.cannot_be_a_base() => format!("http://{text}").parse(),
            _ => text.parse(),
        }
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProxyUrl").field(&self.0.host_str()).finish()
    }
}

impl FromStr for ProxyUrl {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, InvalidProxy> {
        refuse_quotation_marks(text)?;
        // `Url` would remove some of them.
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidProxy::Blank);
        }
        let url = Url::parse(text).map_err(|_| InvalidProxy::NotAUrl)?;
        if !["http", "https", "socks5", "socks5h"].contains(&url.scheme()) {
            return Err(InvalidProxy::Scheme);
        }
        // reqwest silently uses no proxy if it cannot parse the URL in this way.
        let is_usable = url.as_str().parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()));
        let is_plain = ["", "/"].contains(&url.path()) && url.query().is_none() && url.fragment().is_none();
        let is_readable = !text.contains(char::REPLACEMENT_CHARACTER);
        if is_usable && is_plain && is_readable { Ok(Self(url)) } else { Err(InvalidProxy::NotAUrl) }
    }
}

/// The text is not the URL of a proxy. The messages do not repeat the text, which may contain a password.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidProxy {
    /// There are quotation marks around it.
    #[error("remove the quotation marks; `docker run --env-file` keeps those of its file")]
    Quoted,
    /// It contains a blank, a line break or another control character.
    #[error("remove the blanks and line breaks; in a password, write a blank as `%20`")]
    Blank,
    /// Its scheme is not supported.
    #[error("the scheme of a proxy is `http`, `https`, `socks5` or `socks5h`")]
    Scheme,
    /// It is not a URL, has no host, or has a path.
    #[error(
        "a proxy is a URL such as `http://proxy.example:3128`; the schemes `https`, `socks5` and `socks5h` work too"
    )]
    NotAUrl,
}

/// No proxy has quotation marks around it or in its host.
fn refuse_quotation_marks(text: &str) -> Result<(), InvalidProxy> {
    if text.contains('"') || text.starts_with('\'') || text.ends_with('\'') {
        Err(InvalidProxy::Quoted)
    } else {
        Ok(())
    }
}

/// An environment variable does not have the value that its name promises.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable `{name}` is not valid: {problem}")]
pub struct InvalidProxyVariable {
    /// The name of the variable, as it is spelled in the environment.
    pub name: &'static str,
    /// What is wrong with its value, and how to fix it.
    pub problem: InvalidProxy,
}

/// The proxies of an environment.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentProxies {
    https: Option<ProxyUrl>,
    http: Option<ProxyUrl>,
    no_proxy: NoProxy,
}

impl EnvironmentProxies {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`. If one is not set or empty, its name in lower case
    /// counts.
    ///
    /// # Errors
    /// Every variable with a value that cannot be used.
    pub fn read(env: &dyn Fn(&str) -> Option<String>) -> Result<Self, Vec<InvalidProxyVariable>> {
        let proxies = [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];
        let mut problems = Vec::new();
        let [https, http, all] = proxies.map(|names| {
            let (name, text) = first_set(names, env)?;
            let parsed = ProxyUrl::from_variable(&text);
            parsed.map_err(|problem| problems.push(InvalidProxyVariable { name, problem })).ok()
        });
        let (https, http) = (https.or_else(|| all.clone()), http.or(all));
        let exceptions = first_set(["NO_PROXY", "no_proxy"], env).filter(|_| https.is_some() || http.is_some());
        if let Some((name, text)) = &exceptions
            && let Err(problem) = refuse_quotation_marks(text)
        {
            problems.push(InvalidProxyVariable { name, problem });
        }
        let no_proxy = exceptions.map(|(_, text)| NoProxy::parse(&text)).unwrap_or_default();
        if problems.is_empty() { Ok(Self { https, http, no_proxy }) } else { Err(problems) }
    }

    /// The proxy for a URL, if any. There is none for this machine.
    #[must_use]
    pub fn for_url(&self, url: &Url) -> Option<&ProxyUrl> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !is_loopback(url) && !self.no_proxy.matches(url))
    }
}

/// The first variable with a value, and its value.
fn first_set(names: [&'static str; 2], env: &dyn Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    names.into_iter().find_map(|name| Some((name, env(name).filter(|text| !text.is_empty())?)))
}

/// Whether the host of the URL is this machine, by name or address.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        _ => address(url).is_some_and(|address| address.is_loopback()),
    }
}

fn address(url: &Url) -> Option<IpAddr> {
    match url.host()? {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(IpAddr::from(address).to_canonical()),
        Host::Domain(_) => None,
    }
}

/// The hosts that need no proxy, as Go's package `golang.org/x/net/http/httpproxy` reads them, and with it Prometheus
/// and most programs around it.
#[derive(Clone, Debug, Default)]
struct NoProxy(Vec<NoProxyEntry>);

#[derive(Clone, Debug)]
enum NoProxyEntry {
    /// `*`
    Any,
    /// `10.0.0.0/8`
    Network(IpNet),
    /// `10.0.0.1`, `10.0.0.1:8080`, `[fd00::1]:8080`
    Address(IpAddr, Port),
    /// `example.com`, `.example.com`, `*.example.com`, each with or without a port.
    Domain {
        /// Starts with a dot.
        suffix: String,
        /// Whether it also names the domain itself, not only what is below it.
        includes_itself: bool,
        port: Port,
    },
}

/// As it is written; empty for any.
type Port = String;

impl NoProxy {
    fn parse(list: &str) -> Self {
        Self(list.split(',').filter_map(|entry| NoProxyEntry::parse(&entry.trim().to_lowercase())).collect())
    }

    fn matches(&self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().map(|port| port.to_string()).unwrap_or_default();
        let is_port = |expected: &Port| expected.is_empty() || *expected == port;
        let address = address(url);
        self.0.iter().any(|entry| match entry {
            NoProxyEntry::Any => true,
            NoProxyEntry::Network(network) => address.is_some_and(|address| network.contains(&address)),
            NoProxyEntry::Address(expected, port) => address == Some(*expected) && is_port(port),
            NoProxyEntry::Domain { suffix, includes_itself, port } => {
                let is_domain = host.ends_with(suffix) || *includes_itself && host == &suffix[1..];
                address.is_none() && is_domain && is_port(port)
            }
        })
    }
}

impl NoProxyEntry {
    /// Parses an entry in lower case. One that can match nothing is left out.
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::Any);
        }
        if let Ok(network) = entry.parse() {
            return Some(Self::Network(network));
        }
        let (host, port) = split_port(entry).unwrap_or((entry, ""));
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(Self::Address(address.to_canonical(), port.to_owned()));
        }
        let host = if host.starts_with("*.") { &host[1..] } else { host };
        let below = host.strip_prefix('.');
        let domain = below.unwrap_or(host);
        if host.is_empty() {
            return None;
        }
        let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_owned());
        Some(Self::Domain { suffix: format!(".{domain}"), includes_itself: below.is_none(), port: port.to_owned() })
    }
}

/// The host, without brackets, and the port, if there is one.
fn split_port(entry: &str) -> Option<(&str, &str)> {
    let (host, port) = entry.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let is_plain = |text: &str| !text.contains(['[', ']']);
    (is_plain(host) && is_plain(port)).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EnvironmentProxies, Vec<String>> {
        let env = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        EnvironmentProxies::read(&env).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    fn host(variables: &[(&str, &str)], url: &str) -> Option<String> {
        let proxies = read(variables).unwrap();
        proxies.for_url(&url.parse().unwrap()).map(|proxy| proxy.as_url().host_str().unwrap().to_owned())
    }

    #[test]
    fn an_unusable_variable_is_named_without_its_value() {
        let quoted = "remove the quotation marks";
        let blank = "remove the blanks";
        for (value, problem) in [
            ("\"http://u:hunter2@p:3128\"", quoted),
            ("'http://u:hunter2@p:3128'", quoted),
            ("\"p:3128\"", quoted),
            ("http://u:hunter2@p:3128\n", blank),
            ("http://u:hunter2@p:3128\r", blank),
            (" http://u:hunter2@p:3128", blank),
            ("http://u:hunter2@p:3128\t", blank),
            ("http://u:hunter2 @p:3128", blank),
            (" ", blank),
            ("ftp://u:hunter2@p", "the scheme"),
            ("htp://u:hunter2@p", "the scheme"),
            ("http://", "a proxy is a URL"),
            ("http:", "a proxy is a URL"),
            ("http://:3128", "a proxy is a URL"),
            ("http://u:hunter2@", "a proxy is a URL"),
            ("http://p:99999", "a proxy is a URL"),
            ("http://p/hunter2", "a proxy is a URL"),
            ("http://p?hunter2", "a proxy is a URL"),
            ("socks5://", "a proxy is a URL"),
            ("http://u:hunter2\u{fffd}@p", "a proxy is a URL"),
        ] {
            for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
                let problems = read(&[(name, value)]).unwrap_err();
                let start = format!("the environment variable `{name}` is not valid: {problem}");
                assert!(problems.len() == 1 && problems[0].starts_with(&start), "{value:?}: {problems:?}");
                assert!(!problems[0].contains("hunter2"));
            }
        }
        let problems = read(&[("HTTPS_PROXY", "http://p"), ("no_proxy", "\"a,b\"")]).unwrap_err();
        assert!(problems[0].starts_with("the environment variable `no_proxy`"), "{problems:?}");
    }

    #[test]
    fn a_variable_needs_no_scheme_and_an_empty_one_does_not_hide_the_other_spelling() {
        let https = "https://cloud.mongodb.com";
        for value in ["http://p:3128", "https://p", "socks5h://p:1080", "p:3128", "p", "u:w@p:3128", "http://u:%22@p/"]
        {
            assert_eq!(host(&[("HTTPS_PROXY", value)], https).as_deref(), Some("p"), "{value}");
        }
        assert_eq!(host(&[("HTTPS_PROXY", ""), ("https_proxy", "http://p")], https).as_deref(), Some("p"));
        assert_eq!(host(&[("HTTPS_PROXY", "http://p"), ("https_proxy", "http://q")], https).as_deref(), Some("p"));
        assert_eq!(host(&[("HTTP_PROXY", "http://p")], https), None);
        assert_eq!(host(&[("HTTP_PROXY", "http://p")], "http://atlas.test").as_deref(), Some("p"));
        assert_eq!(host(&[("all_proxy", "http://p"), ("HTTP_PROXY", "http://q")], https).as_deref(), Some("p"));
        assert_eq!(host(&[("HTTPS_PROXY", "http://p"), ("NO_PROXY", ""), ("no_proxy", "*")], https), None);
    }

    /// The expected values were printed by golang.org/x/net/http/httpproxy 0.62.0: `P` for the proxy, `-` for none.
    #[test]
    fn no_proxy_is_read_as_go_reads_it() {
        let urls = [
            "https://cloud.mongodb.com",
            "https://cloud.mongodb.com:8443/x",
            "http://cloud.mongodb.com",
            "https://mongodb.com",
            "https://notmongodb.com",
            "https://10.1.2.3",
            "https://10.1.2.3:8443",
            "https://[2001:db8::1]",
            "https://[2001:db8::1]:8443",
            "https://[::ffff:10.1.2.3]",
            "https://xn--bcher-kva.example",
            "https://localhost",
            "https://127.0.0.2",
            "https://[::1]:9",
            "https://sub.localhost",
            "https://cloud.mongodb.com.",
        ];
        for (no_proxy, expected) in [
            ("", "PPPPPPPPPPP---PP"),
            (" * ", "----------------"),
            ("x,*", "----------------"),
            ("*.*", "PPPPPPPPPPP---PP"),
            ("mongodb.com", "----PPPPPPP---PP"),
            (".mongodb.com", "---PPPPPPPP---PP"),
            ("*.mongodb.com", "---PPPPPPPP---PP"),
            ("MONGODB.Com", "----PPPPPPP---PP"),
            ("a, mongodb.com ,b", "----PPPPPPP---PP"),
            ("a mongodb.com", "PPPPPPPPPPP---PP"),
            ("a;mongodb.com", "PPPPPPPPPPP---PP"),
            ("cloud.mongodb.com", "---PPPPPPPP---PP"),
            ("ongodb.com", "PPPPPPPPPPP---PP"),
            ("com", "-----PPPPPP---PP"),
            ("mongodb.com:443", "-PP-PPPPPPP---PP"),
            ("mongodb.com:80", "PP-PPPPPPPP---PP"),
            ("mongodb.com:", "----PPPPPPP---PP"),
            ("mongodb.com:https", "PPPPPPPPPPP---PP"),
            ("mongodb.com:0443", "PPPPPPPPPPP---PP"),
            ("mongodb.com.", "PPPPPPPPPPP---P-"),
            ("https://mongodb.com", "PPPPPPPPPPP---PP"),
            ("cloud.*", "PPPPPPPPPPP---PP"),
            ("*mongodb.com", "PPPPPPPPPPP---PP"),
            (".cloud.mongodb.com", "PPPPPPPPPPP---PP"),
            ("10.1.2.3", "PPPPP--PP-P---PP"),
            ("10.1.2.3:443", "PPPPP-PPP-P---PP"),
            ("10.1.2.3/8", "PPPPP--PP-P---PP"),
            ("10.0.0.0/33", "PPPPPPPPPPP---PP"),
            ("10.0.0.0/8:443", "PPPPPPPPPPP---PP"),
            ("10.1.2", "PPPPPPPPPPP---PP"),
            (".1.2.3", "PPPPPPPPPPP---PP"),
            ("010.1.2.3", "PPPPPPPPPPP---PP"),
            ("2001:DB8::1", "PPPPPPP--PP---PP"),
            ("[2001:db8::1]", "PPPPPPPPPPP---PP"),
            ("[2001:db8::1]:443", "PPPPPPP-PPP---PP"),
            ("2001:db8::/32", "PPPPPPP--PP---PP"),
            ("::ffff:10.1.2.3", "PPPPP--PP-P---PP"),
            ("0.0.0.0/0", "PPPPP--PP-P---PP"),
            ("::/0", "PPPPPPP--PP---PP"),
            ("bücher.example", "PPPPPPPPPP----PP"),
            (".bücher.example", "PPPPPPPPPPP---PP"),
            ("BÜCHER.example", "PPPPPPPPPP----PP"),
            (":443", "PPPPPPPPPPP---PP"),
            (".", "PPPPPPPPPPP---P-"),
            ("*.", "PPPPPPPPPPP---P-"),
            (",,", "PPPPPPPPPPP---PP"),
            ("localhost", "PPPPPPPPPPP----P"),
            (".mongodb.com:443", "-PPPPPPPPPP---PP"),
            ("[mongodb.com]:443", "-PP-PPPPPPP---PP"),
            ("mongodb.com\n", "----PPPPPPP---PP"),
            ("[10.1.2.3]:443", "PPPPP-PPP-P---PP"),
            ("mongodb.com:443:1", "PPPPPPPPPPP---PP"),
        ] {
            let variables = [("HTTPS_PROXY", "http://p"), ("HTTP_PROXY", "http://p"), ("NO_PROXY", no_proxy)];
            let found: String =
                urls.map(|url| if host(&variables, url).is_some() { 'P' } else { '-' }).iter().collect();
            assert_eq!(found, expected, "{no_proxy:?}");
        }
    }
}
