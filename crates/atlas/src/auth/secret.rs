//! A text of a credential, from where it came: what a file holds may change while the exporter runs.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

/// Larger files are no secrets.
const MAX_SIZE: u64 = 4096;

/// A text of one line, and the file that it came from, if any.
#[derive(Clone, Debug)]
pub struct Secret {
    text: SecretString,
    file: Option<PathBuf>,
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose() && self.file == other.file
    }
}

/// A text that cannot be part of a credential. Neither it nor its path is repeated: someone may have put the secret
/// itself in the place of the path.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not there, or not readable, or no text.
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    /// The file is too large.
    #[error("the file cannot be read: it is larger than {MAX_SIZE} bytes")]
    TooLarge,
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// A credential stands in an HTTP header, so it is of one line.
    #[error("must be one line without control characters")]
    Control,
}

impl Secret {
    /// A text that does not change. Line ends at its end are no part of it.
    ///
    /// # Errors
    /// The text is empty or has control characters.
    pub fn fixed(text: &str) -> Result<Self, SecretError> {
        Ok(Self { text: usable(text)?, file: None })
    }

    /// The text in a file of at most 4096 bytes.
    ///
    /// # Errors
    /// The file cannot be read, or its text is not usable.
    pub fn file(path: &Path) -> Result<Self, SecretError> {
        let mut text = String::new();
        let file = File::open(path).map_err(SecretError::Unreadable)?;
        file.take(MAX_SIZE + 1).read_to_string(&mut text).map_err(SecretError::Unreadable)?;
        if text.len() as u64 > MAX_SIZE {
            return Err(SecretError::TooLarge);
        }
        Ok(Self { text: usable(&text)?, file: Some(path.to_owned()) })
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    /// Whether it can change at all.
    pub(crate) fn is_from_file(&self) -> bool {
        self.file.is_some()
    }

    /// The same as it is now.
    pub(crate) fn read_again(&self) -> Result<Self, SecretError> {
        match &self.file {
            Some(path) => Self::file(path),
            None => Ok(self.clone()),
        }
    }
}

fn usable(text: &str) -> Result<SecretString, SecretError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(SecretError::Control);
    }
    Ok(text.into())
}
