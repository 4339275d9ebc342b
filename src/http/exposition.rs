//! The exposition: from the state to the bytes of a response.
//!
//! It is rendered and compressed when the state changes. A response sends these bytes without copying them, followed by
//! the process metrics, which are current.

use std::{
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::{Buf, Bytes};
use crc32fast::Hasher;
use flate2::{Compression, write::DeflateEncoder};
use tokio::{
    sync::watch,
    time::{sleep, sleep_until},
};

use super::{
    body::{Body, Kind, Version},
    renderer::Renderer,
};
use crate::{metrics, state::State};

/// The shortest header of a gzip member (RFC 1952): deflate, no name, no time, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// The shortest pause between two renderings; changes within it are rendered together.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Each pause is this many times as long as the rendering before it, so rendering takes at most a twentieth of a
/// processor.
const RENDER_DUTY_CYCLE: u32 = 19;

/// The longest pause: a rendering may have been slow because the whole machine was suspended.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The text of `/metrics`, plain and compressed, without the process metrics.
pub struct Exposition {
    /// When it was rendered.
    pub rendered_at: Instant,
    text: Bytes,
    /// The gzip header and the text in deflate blocks that end at a byte boundary. The last block is not in it.
    gzip: Bytes,
    checksum: Hasher,
}

impl Exposition {
    /// Renders the state as it is now.
    ///
    /// # Errors
    /// Compression fails, which it does not in memory.
    pub fn render(state: &watch::Receiver<State>) -> io::Result<Arc<Self>> {
        // Compressing takes longer than rendering, and must not block polls by holding the state.
        let text = metrics::render(&state.borrow(), Instant::now());
        Self::new(text).map(Arc::new)
    }

    /// Compresses the text: about 5 ms for each megabyte.
    pub(super) fn new(mut text: String) -> io::Result<Self> {
        let mut checksum = Hasher::new();
        checksum.update(text.as_bytes());
        let mut encoder = DeflateEncoder::new(GZIP_HEADER.to_vec(), Compression::fast());
        encoder.write_all(text.as_bytes())?;
        encoder.flush()?;
        let mut gzip = std::mem::take(encoder.get_mut());
        // Growing doubles their capacity, and slow readers may keep several versions.
        text.shrink_to_fit();
        gzip.shrink_to_fit();
        Ok(Self { rendered_at: Instant::now(), text: text.into(), gzip: gzip.into(), checksum })
    }

    /// The body without compression; `tail` follows the text.
    pub(super) fn plain(&self, tail: String) -> Body {
        self.body(Kind::Exposition, &self.text, tail.into())
    }

    fn body(&self, kind: Kind, text: &Bytes, tail: Bytes) -> Body {
        let version = Version { kind, rendered_at: self.rendered_at, bytes: text.len() };
        Body { data: text.clone().chain(tail), version: Some(version) }
    }

    /// The body as one gzip member: its deflate blocks may come from two encoders, and their checksums combine.
    pub(super) fn gzip(&self, tail: &str) -> io::Result<Body> {
        let mut tail_checksum = Hasher::new();
        tail_checksum.update(tail.as_bytes());
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(tail.as_bytes())?;
        let mut end = encoder.finish()?;
        let mut checksum = self.checksum.clone();
        checksum.combine(&tail_checksum);
        end.extend(checksum.finalize().to_le_bytes());
        // RFC 1952: the size modulo 2^32.
        let size = (self.text.len() + tail.len()) as u64;
        end.extend(&size.to_le_bytes()[..4]);
        Ok(self.body(Kind::CompressedExposition, &self.gzip, end.into()))
    }
}

/// Renders the exposition when the state changes, and when a listing becomes stale.
///
/// # Errors
/// The thread cannot be started, or rendering panicked, so the exposition would never change again.
pub async fn render_loop(
    mut state: watch::Receiver<State>,
    exposition: watch::Sender<Arc<Exposition>>,
) -> anyhow::Result<()> {
    let renderer = Renderer::start("exposition").context("start a thread that renders the metrics")?;
    loop {
        let started = Instant::now();
        let expiry = state.borrow_and_update().next_expiry(started);
        let source = state.clone();
        let rendered = renderer.run(move || Exposition::render(&source)).await.context("render the metrics")?;
        exposition.send_replace(rendered.context("compress the metrics")?);
        sleep((started.elapsed() * RENDER_DUTY_CYCLE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)).await;
        // A millisecond later the listing is past its expiry, not at it.
        let expired = sleep_until((expiry.unwrap_or(started) + Duration::from_millis(1)).into());
        tokio::select! {
            changed = state.changed() => changed.context("the state is gone")?,
            () = expired, if expiry.is_some() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn gzip_is_one_member_with_the_plain_text_and_the_tail() {
        for (text, tail) in [("", ""), ("a", ""), ("", "b"), (&"a repeated line\n".repeat(9999), "tail\n")] {
            let exposition = Exposition::new(text.to_owned()).unwrap();
            let mut plain = exposition.plain(tail.to_owned()).data;
            assert_eq!(plain.copy_to_bytes(plain.remaining()), format!("{text}{tail}"));
            let mut gzip = exposition.gzip(tail).unwrap().data;
            let gzip = gzip.copy_to_bytes(gzip.remaining());
            let mut decoder = GzDecoder::new(gzip.as_ref());
            let mut decompressed = String::new();
            decoder.read_to_string(&mut decompressed).unwrap();
            assert_eq!(decompressed, format!("{text}{tail}"));
            assert!(decoder.into_inner().is_empty(), "bytes follow the first member");
        }
    }
}
