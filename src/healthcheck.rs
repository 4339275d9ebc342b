//! Asks a running exporter whether it is healthy, so that a container needs no shell and no curl for it.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, bail, ensure};

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the exporter that listens on the address.
///
/// # Errors
/// No exporter answers there, or not with 200.
pub fn ask(listen_address: &str) -> anyhow::Result<()> {
    let address = local(listen_address);
    let Some(address) = address.to_socket_addrs().with_context(|| format!("resolve `{address}`"))?.next() else {
        bail!("`{address}` has no address");
    };
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").context("ask")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).context("read the answer")?;
    ensure!(status.ends_with(b" 200"), "the answer is `{}`", status.escape_ascii());
    Ok(())
}

/// Where to reach what listens on every address.
fn local(listen_address: &str) -> String {
    let (host, port) = listen_address.rsplit_once(':').unwrap_or((listen_address, ""));
    match host {
        "" | "0.0.0.0" | "[::]" => format!("localhost:{port}"),
        _ => listen_address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_is_reached_by_the_local_one() {
        for (listens_on, asked) in [
            (":10917", "localhost:10917"),
            ("0.0.0.0:80", "localhost:80"),
            ("[::]:80", "localhost:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(local(listens_on), asked);
        }
    }
}
