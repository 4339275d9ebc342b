//! A secret and the file that it comes from: its content may change at any time.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};

/// A larger file is not a secret.
const MAX_SECRET: u64 = 4096;

/// One line of text, and the file that it comes from, if any.
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

/// The text cannot be part of a credential. Messages contain neither the text nor the path, which may be the secret by
/// mistake.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file does not exist, cannot be read, is larger than 4096 bytes or is not UTF-8.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// A credential is sent in an HTTP header, so it must be one line.
    #[error("must be one line without control characters")]
    Control,
}

impl Secret {
    /// A text that never changes, without trailing line breaks.
    pub fn from_text(text: &str) -> Result<Self, SecretError> {
        Ok(Self { text: validate(text)?, file: None })
    }

    /// The text of a file of at most 4096 bytes, without trailing line breaks.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let mut text = String::new();
        File::open(path)?.take(MAX_SECRET + 1).read_to_string(&mut text)?;
        if text.len() as u64 > MAX_SECRET {
            return Err(io::Error::other(format!("it is larger than {MAX_SECRET} bytes")).into());
        }
        Ok(Self { text: validate(&text)?, file: Some(path.to_owned()) })
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.text.expose_secret()
    }

    pub(crate) fn is_from_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reads its file again.
    pub(crate) fn reload(&self) -> Result<Self, SecretError> {
        match &self.file {
            Some(path) => Self::from_file(path),
            None => Ok(self.clone()),
        }
    }
}

fn validate(text: &str) -> Result<SecretString, SecretError> {
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    if text.chars().any(char::is_control) {
        return Err(SecretError::Control);
    }
    Ok(text.into())
}
