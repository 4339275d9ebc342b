//! `tls_server_config`, as far as rustls supports it.

mod client_auth;
mod files;
mod names;
mod pem;
pub(crate) mod reload;
mod settings;

use std::path::Path;

use self::{reload::CertReloader, settings::RawTls};
use yaml_reader::Section;

/// Parses the section. `None` means that TLS is off, or that there are faults.
pub(crate) fn parse(mut section: Section<'_>, folder: &Path, http2: bool) -> Option<CertReloader> {
    let raw = RawTls::take(&mut section, folder);
    section.finish();
    if raw.enables_tls() {
        let settings = raw.resolve(&section, http2)?;
        let reloader = settings.sources.read().and_then(|files| {
            settings.warn(&section, &files);
            CertReloader::new(settings, &files)
        });
        return section.absorb(reloader);
    }
    if !section.is_empty() {
        section.warn_here("has no effect: TLS is off without a certificate and a key, as in the toolkit");
    }
    None
}
