//! Asks a running exporter whether it is healthy, or ready, so that a container needs no shell and no curl for it.
//!
//! It has no password and no certificate. Where the exporter wants a password, that it says so is enough: it would say
//! 503 otherwise. Where it wants a certificate, that proves only that it is there. Nothing secret is sent, so the
//! exporter need not prove who it is.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, UnixTime},
};

const TIMEOUT: Duration = Duration::from_secs(3);

const HEALTHY: &[u8] = b"GET /-/healthy HTTP/1.0\r\n\r\n";

const READY: &[u8] = b"GET /-/ready HTTP/1.0\r\n\r\n";

/// Of someone who is well, or wants a password and would be well, or had too many requests.
const WELL: [&str; 3] = ["200", "401", "429"];

/// What a server says that speaks TLS only.
const SPEAKS_TLS: &str = "400";

/// Asks the exporter that listens on the address, over TLS if it speaks nothing else.
///
/// # Errors
/// No exporter answers there, or not as one that is healthy, or ready.
pub fn ask(listen_address: &str, whether_ready: bool) -> anyhow::Result<()> {
    let address = local(listen_address);
    let request = if whether_ready { READY } else { HEALTHY };
    let mut status = exchange(connect(&address)?, request)?;
    if status == SPEAKS_TLS {
        match exchange(encrypted(connect(&address)?)?, request) {
            Err(error) if wants_certificate(&error) => return Ok(()),
            asked => status = asked?,
        }
    }
    ensure!(WELL.contains(&status.as_str()), "the answer is `{status}`");
    Ok(())
}

/// The status of the answer.
fn exchange(mut stream: impl Read + Write, request: &[u8]) -> anyhow::Result<String> {
    stream.write_all(request).context("ask")?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).context("read the answer")?;
    match status.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..)) {
        Some(code) => Ok(code.escape_ascii().to_string()),
        None => bail!("the answer is `{}`", status.escape_ascii()),
    }
}

fn connect(address: &str) -> anyhow::Result<TcpStream> {
    let stream = reach(address).with_context(|| format!("connect to `{address}`"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn encrypted(stream: TcpStream) -> anyhow::Result<StreamOwned<ClientConnection, TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    let name = ServerName::IpAddress(stream.peer_addr()?.ip().into());
    Ok(StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream))
}

fn wants_certificate(error: &anyhow::Error) -> bool {
    let of_io = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
    let of_tls = of_io.and_then(|error| error.downcast_ref::<Error>());
    of_tls == Some(&Error::AlertReceived(AlertDescription::CertificateRequired))
}

/// Takes every certificate.
#[derive(Debug)]
struct Anyone;

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// To the first address of the name that answers: `localhost` may have one of each family.
fn reach(address: &str) -> io::Result<TcpStream> {
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
