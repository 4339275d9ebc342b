//! A secret and the file that it comes from: its content may change at any time.

use std::{
    io,
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
    /// The file does not exist, cannot be read in time or is larger than 4096 bytes.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The text is empty.
    #[error("is empty")]
    Empty,
    /// Editors add the mark to files.
    #[error("starts with a byte order mark; save it as plain ASCII text without one")]
    ByteOrderMark,
    /// It is not part of a credential, and not visible.
    #[error("starts or ends with a blank; remove it")]
    Blank,
    /// A credential is sent in an HTTP header, so it must be one line.
    #[error("must be one line without control characters; only one line break at its end is ignored")]
    Control,
    /// No credential of Atlas has other characters.
    #[error("contains characters other than ASCII")]
    NotAscii,
}

impl Secret {
    /// A text that never changes. One line break at its end is removed.
    pub fn from_text(text: &str) -> Result<Self, SecretError> {
        Ok(Self { text: validate(text.as_bytes())?, file: None })
    }

    /// The text of a file of at most 4096 bytes. One line break at its end, which editors add, is removed. Blocks for at
    /// most 5 s.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text = file_reader::read(path, MAX_SECRET)?;
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

fn validate(text: &[u8]) -> Result<SecretString, SecretError> {
    // UTF-8, and both kinds of UTF-16.
    if [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"].iter().any(|mark| text.starts_with(mark)) {
        return Err(SecretError::ByteOrderMark);
    }
    let text = str::from_utf8(text).ok().filter(|text| text.is_ascii()).ok_or(SecretError::NotAscii)?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err(SecretError::Empty);
    }
    if text.starts_with([' ', '\t']) || text.ends_with([' ', '\t']) {
        return Err(SecretError::Blank);
    }
    if text.contains(|c: char| c.is_ascii_control()) {
        return Err(SecretError::Control);
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_line_break_at_the_end_is_ignored() {
        for text in ["hunter2", "hunter2\n", "hunter2\r\n"] {
            assert_eq!(Secret::from_text(text).unwrap().expose(), "hunter2", "{text:?}");
        }
        for (text, expected) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"\xef\xbb\xbfhunter2\r\n", "starts with a byte order mark"),
            (b"\xff\xfeh\0u\0", "starts with a byte order mark"),
            (b"\xfe\xff\0h\0u", "starts with a byte order mark"),
            (b" hunter2", "starts or ends with a blank"),
            (b"hunter2 \n", "starts or ends with a blank"),
            (b"hunter2\t", "starts or ends with a blank"),
            (b"hunter2\n\n", "must be one line"),
            (b"hunter2\r\n\r\n", "must be one line"),
            (b"hunter2\r", "must be one line"),
            (b"\nhunter2", "must be one line"),
            (b"hun\nter2", "must be one line"),
            (b"hun\0ter2", "must be one line"),
            (b"hunter2\x7f", "must be one line"),
            ("hünter2".as_bytes(), "contains characters other than ASCII"),
            ("hunter2\u{a0}".as_bytes(), "contains characters other than ASCII"),
            (b"hunter\xff", "contains characters other than ASCII"),
        ] {
            let error = validate(text).unwrap_err().to_string();
            assert!(error.starts_with(expected) && !error.contains("hunter"), "{text:?}: {error}");
        }
    }
}
