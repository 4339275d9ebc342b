//! A text that is compressed when it changes and served as it is, with a short tail that is new each time.

use std::{
    io::{self, Write},
    time::Instant,
};

use bytes::{Buf, Bytes, buf::Chain};
use crc32fast::Hasher;
use flate2::{Compression, write::DeflateEncoder};

/// The least that a gzip member may begin with (RFC 1952): deflate, no name, no time, any system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// What a response sends: the text and the tail, neither of them copied.
pub(super) type Body = Chain<Bytes, Bytes>;

/// A text in both encodings.
pub struct Exposition {
    /// When it was made.
    pub made: Instant,
    text: Bytes,
    /// The gzip header and the text as deflate blocks, up to a byte boundary, the last block still to come.
    gzip: Bytes,
    checksum: Hasher,
}

impl Exposition {
    /// Compresses the text: about 5 ms for each megabyte.
    ///
    /// # Errors
    /// None that are known: it writes to memory.
    pub fn new(text: String) -> io::Result<Self> {
        let mut checksum = Hasher::new();
        checksum.update(text.as_bytes());
        let mut encoder = DeflateEncoder::new(GZIP_HEADER.to_vec(), Compression::fast());
        encoder.write_all(text.as_bytes())?;
        encoder.flush()?;
        let gzip = std::mem::take(encoder.get_mut()).into();
        Ok(Self { made: Instant::now(), text: text.into(), gzip, checksum })
    }

    pub(super) fn plain(&self, tail: String) -> Body {
        self.text.clone().chain(Bytes::from(tail))
    }

    /// One gzip member: deflate blocks may come from two encoders, and their checksums can be combined.
    pub(super) fn gzip(&self, tail: &str) -> io::Result<Body> {
        let mut checksum = Hasher::new();
        checksum.update(tail.as_bytes());
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(tail.as_bytes())?;
        let mut end = encoder.finish()?;
        let mut whole = self.checksum.clone();
        whole.combine(&checksum);
        end.extend(whole.finalize().to_le_bytes());
        // RFC 1952: the size modulo 2^32.
        let size = (self.text.len() + tail.len()) as u64;
        end.extend(&size.to_le_bytes()[..4]);
        Ok(self.gzip.clone().chain(Bytes::from(end)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    fn unpack(mut body: Body) -> String {
        let bytes = body.copy_to_bytes(body.remaining());
        let mut decoder = GzDecoder::new(bytes.as_ref());
        let mut text = String::new();
        decoder.read_to_string(&mut text).unwrap();
        assert!(decoder.into_inner().is_empty(), "one member and nothing after it");
        text
    }

    #[test]
    fn gzip_is_one_member_with_the_text_and_the_tail() {
        for (text, tail) in [("", ""), ("a", ""), ("", "b"), (&"long and dull\n".repeat(9999), "tail\n")] {
            let document = Exposition::new(text.to_owned()).unwrap();
            assert_eq!(unpack(document.gzip(tail).unwrap()), format!("{text}{tail}"));
        }
    }

    #[test]
    fn plain_is_the_text_and_the_tail() {
        let mut body = Exposition::new("text\n".to_owned()).unwrap().plain("tail\n".to_owned());
        assert_eq!(body.copy_to_bytes(body.remaining()), "text\ntail\n");
    }
}
