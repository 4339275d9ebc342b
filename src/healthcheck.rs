//! Asks a running exporter whether it is healthy, so that a container needs no shell and no curl for it.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, ensure};

const TIMEOUT: Duration = Duration::from_secs(3);

/// Asks the exporter that listens on the address.
///
/// # Errors
/// No exporter answers there, or not with 200.
pub fn ask(listen_address: &str) -> anyhow::Result<()> {
    let address = local(listen_address);
    let mut stream = connect(&address).with_context(|| format!("connect to `{address}`"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").context("ask")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).context("read the answer")?;
    ensure!(status.ends_with(b" 200"), "the answer is `{}`", status.escape_ascii());
    Ok(())
}

/// To the first address of the name that answers: `localhost` may have one of each family.
fn connect(address: &str) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::AddrNotAvailable.into();
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, TIMEOUT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
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
