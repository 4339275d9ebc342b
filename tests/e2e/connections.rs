//! Connections to Atlas: base URLs, proxies, certificate authorities, IPv6.

use std::{
    fs,
    io::{BufRead, BufReader, Write, copy},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use crate::{
    process::{Ended, exporter, run},
    setup::{Atlas, GROUP, SCENARIO, folder},
    tls_atlas::{TlsAtlas, authority, write_authority},
};

/// Runs `once` with an account for each of these settings and the simulator's API key.
fn once(folder: &Path, accounts: &[String]) -> Ended {
    fs::write(folder.join("key"), "demo\n").unwrap();
    let account =
        |settings: &String| format!("  - {{public_key: demo, private_key_file: key, allow_http: true, {settings}}}\n");
    let accounts: Vec<String> = accounts.iter().map(account).collect();
    let text = format!("poll: {{interval: 3s}}\naccounts:\n{}", accounts.concat());
    fs::write(folder.join("config.yaml"), text).unwrap();
    let mut command = exporter(folder, ["once"]);
    // The config takes precedence over the environment.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9");
    run(command)
}

fn settings(base_url: &str, more: &str) -> String {
    format!("base_url: '{base_url}', groups: [{{id: {GROUP}}}], {more}")
}

fn succeeded(ended: &Ended) -> bool {
    ended.status == Some(0) && ended.stdout.contains("64c0ffee00000000000000c3")
}

/// A proxy that tunnels and records the request headers.
struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::<Mutex<Vec<String>>>::default();
        let seen = heads.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = seen.clone();
                thread::spawn(move || tunnel(stream, &seen));
            }
        });
        Proxy { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, heads: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or_default() == 0 {
            return;
        }
    }
    heads.lock().unwrap().push(head.clone());
    let Some(target) = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()) else { return };
    let mut server = TcpStream::connect(target).unwrap();
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || {
        let _ = copy(&mut back.0, &mut back.1);
        let _ = back.1.shutdown(Shutdown::Both);
    });
    let _ = copy(&mut reader, &mut server);
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn with_a_ca_file_only_its_authorities_are_trusted() {
    let (folder, authority, other) = (folder(), authority(), crate::tls_atlas::authority());
    let atlas = TlsAtlas::start(&authority, &["h2"]);
    write_authority(folder.path(), &authority);
    fs::write(folder.path().join("other.pem"), other.pem()).unwrap();
    let base_url = format!("https://localhost:{}", atlas.address.port());
    let ended = once(folder.path(), &[settings(&base_url, "ca_file: authority.pem")]);
    assert!(succeeded(&ended), "{}", ended.stderr);
    let ended = once(folder.path(), &[settings(&base_url, "ca_file: other.pem")]);
    assert_eq!(ended.status, Some(1));
    assert!(ended.stderr.contains("reason=\"tls\""), "{}", ended.stderr);
}

#[test]
fn requests_use_the_proxy_of_the_account_with_its_password() {
    let (folder, authority) = (folder(), authority());
    let atlas = TlsAtlas::start(&authority, &["h2", "http/1.1"]);
    let proxy = Proxy::start();
    write_authority(folder.path(), &authority);
    fs::write(folder.path().join("proxy"), format!("http://squid:hunter2@{}\n", proxy.address)).unwrap();
    let base_url = format!("https://localhost:{}", atlas.address.port());
    let ended = once(folder.path(), &[settings(&base_url, "ca_file: authority.pem, proxy_url_file: proxy")]);
    assert!(succeeded(&ended), "{}", ended.stderr);
    let heads = proxy.heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with(&format!("CONNECT localhost:{} ", atlas.address.port())), "{head}");
        // squid:hunter2
        assert!(head.to_lowercase().contains("proxy-authorization: basic c3f1awq6ahvudgvymg=="), "{head}");
    }
    assert!(!ended.stderr.contains("hunter2"));
}

#[test]
fn the_log_about_an_unreachable_proxy_omits_its_password() {
    let folder = folder();
    fs::write(folder.path().join("proxy"), "http://squid:hunter2@127.0.0.1:9").unwrap();
    let ended = once(folder.path(), &[settings("https://localhost:1", "proxy_url_file: proxy")]);
    assert_eq!(ended.status, Some(1));
    assert!(ended.stderr.contains("reason=\"connect\"") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[test]
fn a_base_url_can_have_an_ipv6_address() {
    let folder = folder();
    let atlas = Atlas::start_at(folder.path(), SCENARIO, "[::1]:0");
    assert!(atlas.address.starts_with("[::1]:"), "{}", atlas.address);
    let ended = once(folder.path(), &[settings(&atlas.url(), "")]);
    assert!(succeeded(&ended), "{}", ended.stderr);
}

#[test]
fn an_unreachable_base_url_of_one_account_does_not_affect_another() {
    let folder = folder();
    let atlas = Atlas::start(folder.path(), SCENARIO);
    let other = "5e57d85c854180642f784402";
    let dead = format!("name: dead, base_url: 'http://127.0.0.1:9', groups: [{{id: {other}}}]");
    let ended = once(folder.path(), &[settings(&atlas.url(), "name: commercial"), dead]);
    assert_eq!(ended.status, Some(1), "{}", ended.stderr);
    for (group, account, success) in [(GROUP, "commercial", 1), (other, "dead", 0)] {
        assert!(ended.stdout.contains(&format!("account=\"{account}\"}} 1\n")), "{}", ended.stdout);
        let labels = format!("account=\"{account}\",group_id=\"{group}\",provider=\"AWS\"");
        let polled = format!("mongodbatlas_peering_poll_success{{{labels}}} {success}\n");
        assert!(ended.stdout.contains(&polled), "{polled}{}", ended.stdout);
    }
}
