//! Certificates and keys: in files that are reloaded, or in the web config itself.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::go_yaml;
use yaml_reader::{ConfigFault, Section, Shown};

/// A larger file is rejected. A chain of certificates has a few kilobytes.
const MAX_PEM_SIZE: u64 = 1 << 20;

/// Where a text in PEM format comes from.
pub(crate) struct PemSource {
    pub(crate) key: &'static str,
    location: Location,
}

enum Location {
    Inline(String),
    File(PathBuf),
}

/// Where the server's certificate, its key and the client CAs come from.
pub(crate) struct PemSources {
    pub(crate) certificate: PemSource,
    pub(crate) key: PemSource,
    pub(crate) client_cas: Option<PemSource>,
}

/// The contents of the sources at one time.
pub(crate) struct TlsFiles {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) client_cas: Option<Vec<u8>>,
}

impl PemSource {
    /// A file or an inline text. If both are set, the file is used, as in the toolkit.
    pub(crate) fn take(
        section: &mut Section<'_>,
        [file_key, text_key]: [&'static str; 2],
        folder: &Path,
    ) -> Option<Self> {
        let file = go_yaml::text(section, file_key);
        let text = go_yaml::text(section, text_key);
        let Some(file) = file else {
            return text.map(|text| Self { key: text_key, location: Location::Inline(text) });
        };
        if text.is_some() {
            section.warn(text_key, format!("is not used: `{file_key}` is set too"));
        }
        Some(Self { key: file_key, location: Location::File(folder.join(file)) })
    }

    /// The file, unless the text is in the web config itself.
    pub(crate) fn path(&self) -> Option<&Path> {
        match &self.location {
            Location::Inline(_) => None,
            Location::File(path) => Some(path),
        }
    }

    fn read(&self) -> Result<Vec<u8>, ConfigFault> {
        let path = match &self.location {
            Location::Inline(text) => return Ok(text.clone().into_bytes()),
            Location::File(path) => path,
        };
        let content = file_reader::read(path, MAX_PEM_SIZE);
        content.map_err(|error| self.fault(format!("the file `{}` cannot be read: {error}", Shown::from(&**path))))
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> ConfigFault {
        ConfigFault { path: format!("tls_server_config.{}", self.key), message: message.into() }
    }
}

impl PemSources {
    /// Reads all of them. Blocks for at most 5 s for each file.
    pub(crate) fn read(&self) -> Result<TlsFiles, Vec<ConfigFault>> {
        let client_cas = self.client_cas.as_ref().map(PemSource::read).transpose();
        match (self.certificate.read(), self.key.read(), client_cas) {
            (Ok(certificate), Ok(key), Ok(client_cas)) => Ok(TlsFiles { certificate, key, client_cas }),
            (certificate, key, client_cas) => {
                Err([certificate.err(), key.err(), client_cas.err()].into_iter().flatten().collect())
            }
        }
    }
}

impl TlsFiles {
    /// Identifies the contents without storing the key.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [&self.certificate, &self.key, self.client_cas.as_deref().unwrap_or_default()] as [&[u8]; 3] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}
