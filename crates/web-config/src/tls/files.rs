//! Certificates and keys: in a file that is read again, or in the web config itself.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::go_yaml;
use yaml_reader::{ConfigFault, ConfigFaults, Section};

/// More is no chain of certificates.
const MAX_SIZE: u64 = 1 << 20;

/// Where one text comes from.
pub(crate) struct Source {
    /// Where the key that named it is, for messages.
    pub(crate) path: String,
    origin: Origin,
}

enum Origin {
    Inline(String),
    File(PathBuf),
}

/// What the server's certificate, its key and the clients' authorities come from.
pub(crate) struct Sources {
    pub(crate) certificate: Source,
    pub(crate) key: Source,
    pub(crate) authorities: Option<Source>,
}

/// What they held at one time.
pub(crate) struct TlsFiles {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) authorities: Option<Vec<u8>>,
}

impl Source {
    /// From a file, or from the text. Where both are there, the file counts, as with the toolkit.
    pub(crate) fn take(
        section: &mut Section<'_>,
        [file_key, text_key]: [&'static str; 2],
        folder: &Path,
        warnings: &ConfigFaults,
    ) -> Option<Self> {
        let file = go_yaml::text(section, file_key);
        let text = go_yaml::text(section, text_key);
        match (file, text) {
            (Some(file), text) => {
                if text.is_some() {
                    warnings.note(section.path_of(text_key), format!("is not used: `{file_key}` is there too"));
                }
                Some(Self { path: section.path_of(file_key), origin: Origin::File(folder.join(file)) })
            }
            (None, Some(text)) => Some(Self { path: section.path_of(text_key), origin: Origin::Inline(text) }),
            (None, None) => None,
        }
    }

    fn read(&self) -> Result<Vec<u8>, ConfigFault> {
        let path = match &self.origin {
            Origin::Inline(text) => return Ok(text.clone().into_bytes()),
            Origin::File(path) => path,
        };
        let mut bytes = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes));
        match read {
            Ok(size) if size as u64 > MAX_SIZE => Err(self.fault(format!("is larger than {MAX_SIZE} bytes"))),
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.fault(format!("the file `{}` cannot be read: {error}", path.display()))),
        }
    }

    pub(crate) fn fault(&self, message: impl Into<String>) -> ConfigFault {
        ConfigFault { path: self.path.clone(), message: message.into() }
    }
}

impl Sources {
    /// Reads all of them; this may block.
    pub(crate) fn read(&self) -> Result<TlsFiles, Vec<ConfigFault>> {
        let authorities = self.authorities.as_ref().map(Source::read).transpose();
        match (self.certificate.read(), self.key.read(), authorities) {
            (Ok(certificate), Ok(key), Ok(authorities)) => Ok(TlsFiles { certificate, key, authorities }),
            (certificate, key, authorities) => {
                Err([certificate.err(), key.err(), authorities.err()].into_iter().flatten().collect())
            }
        }
    }
}

impl TlsFiles {
    /// The same for the same contents; it does not hold the key.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for part in [&self.certificate, &self.key, self.authorities.as_deref().unwrap_or_default()] as [&[u8]; 3] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}
