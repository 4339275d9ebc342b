//! `tls_server_config`, as far as rustls supports it.

mod client_auth;
mod files;
mod names;
mod pem;
pub(crate) mod reload;
mod settings;

use std::path::Path;

use self::{reload::CertReloader, settings::RawTls};
use yaml_reader::{ConfigFaults, Section};

/// Parses the section. `None` means that TLS is off, or that there are faults.
pub(crate) fn parse(
    mut section: Section<'_>,
    folder: &Path,
    http2: bool,
    warnings: &ConfigFaults,
) -> Option<CertReloader> {
    let raw = RawTls::take(&mut section, folder, warnings);
    section.finish();
    if raw.enables_tls() {
        let settings = raw.resolve(&section, http2, warnings)?;
        let reloader = settings.sources.read().and_then(|files| {
            settings.warn(&files, warnings);
            CertReloader::new(settings, &files)
        });
        return section.absorb(reloader);
    }
    if !section.is_empty() {
        let message = "has no effect: TLS is off without a certificate and a key, as in the toolkit";
        warnings.note(section.path().to_owned(), message);
    }
    None
}
