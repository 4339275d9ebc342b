//! `healthcheck`: checks whether a running exporter is healthy or ready, in containers without a shell or curl.
//!
//! It has no password and no certificate. Status 401 is a success, because an unhealthy exporter returns 503 instead. If
//! the exporter requires a client certificate, only its handshake can be checked. Nothing secret is sent, so the
//! certificate of the exporter is not verified.

use std::{error::Error, io, process::ExitCode, time::Duration};

use anyhow::{Context, anyhow, bail};
use reqwest::{Client, Response, StatusCode, redirect};
use rustls::AlertDescription;

use crate::cli::Args;

/// How many connections it makes while requests are not sent.
const MAX_ATTEMPTS: u32 = 10;

const TIMEOUT: Duration = Duration::from_secs(3);

/// Sends the request over HTTP, or over TLS if the exporter speaks only TLS.
///
/// # Errors
/// No response, or one with a status other than 200, 401 and 429.
pub async fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let address = reachable(&args.listen_addresses[0]);
    let path = if args.healthcheck_ready { "/-/ready" } else { "/-/healthy" };
    let client = Client::builder().no_proxy().http1_only().timeout(TIMEOUT).redirect(redirect::Policy::none());
    let client = client.tls_danger_accept_invalid_certs(true).build().context("create the HTTP client")?;
    let get = async |scheme| {
        let mut attempts = 1;
        loop {
            match client.get(format!("{scheme}://{address}{path}")).send().await {
                Err(error) if attempts < MAX_ATTEMPTS && was_not_sent(&error) => attempts += 1,
                response => return response,
            }
        }
    };
    let mut response = get("http").await;
    // This is the response to a plain HTTP request on a TLS port.
    if response.as_ref().is_ok_and(|response| response.status() == StatusCode::BAD_REQUEST) {
        response = get("https").await;
    }
    match response {
        Ok(response) => check(response).await?,
        Err(error) if requires_certificate(&error) => {}
        Err(error) => bail!("no response from `{address}`: {}", anyhow!(error).root_cause()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(mut response: Response) -> anyhow::Result<()> {
    let status = response.status();
    if [StatusCode::OK, StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
        return Ok(());
    }
    // The first chunk holds the complete sentence and has a bounded size.
    let body = response.chunk().await.ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let line = text.lines().next().unwrap_or("no explanation").replace(char::is_control, "\u{fffd}");
    bail!("status {}: {line}", status.as_u16());
}

/// Whether the connection ended before the request was sent. If the server requires a certificate, TLS 1.3 reports that
/// only after the handshake, and hyper loses the reason if the report arrives before the request.
fn was_not_sent(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |cause| (*cause).source());
    causes.any(|cause| cause.downcast_ref().is_some_and(hyper::Error::is_canceled))
}

/// Whether the server ended the TLS handshake because the client has no certificate.
fn requires_certificate(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return *error == rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
    }
    // `source` of an I/O error skips the error that it wraps.
    let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let next = wrapped.map(|error| error as &(dyn Error + 'static)).or_else(|| error.source());
    next.is_some_and(requires_certificate)
}

/// Where to reach a server on this machine that listens on the address.
fn reachable(listen_address: &str) -> String {
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
    fn a_wildcard_address_is_reached_at_localhost() {
        for (listens_on, expected) in [
            (":10917", "localhost:10917"),
            ("0.0.0.0:80", "localhost:80"),
            ("[::]:80", "localhost:80"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(reachable(listens_on), expected);
        }
    }
}
