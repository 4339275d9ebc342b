//! `tls_server_config`, as far as rustls supports it.

mod client_auth;
mod client_cas;
mod files;
mod names;
mod pem;
pub(crate) mod reload;
mod settings;

use std::path::Path;

use self::{reload::CertReloader, settings::TlsSettings};
use yaml_reader::Section;

/// Parses the section. `None` means that TLS is off, or that there are faults.
pub(crate) fn parse(mut section: Section<'_>, folder: &Path, http2: bool) -> Option<CertReloader> {
    let settings = TlsSettings::parse(&mut section, folder, http2)?;
    let reloader = settings.sources.read().and_then(|files| {
        settings.warn(&section, &files);
        CertReloader::new(settings, &files)
    });
    section.absorb(reloader)
}
