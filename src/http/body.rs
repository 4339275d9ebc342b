//! The body of a response, and how much memory bodies of its kind may take.

use std::time::Instant;

use bytes::{Buf, Bytes, buf::Chain};

/// The body of a response: two parts, neither of them copied.
pub struct Body {
    /// What is sent.
    pub data: Chain<Bytes, Bytes>,
    /// The version that it keeps in memory; `None` if that takes little.
    pub(super) version: Option<Version>,
}

/// A rendered version of a body. It stays in memory while a response uses it, even if there is a newer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) kind: Kind,
    /// Unique among the versions of a kind.
    pub(super) rendered_at: Instant,
    pub(super) bytes: usize,
}

/// Bodies of a kind share a budget, so that the readers of one kind take nothing from those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Exposition,
    CompressedExposition,
    Page,
    Json,
}

impl Kind {
    /// The maximum total size of all versions in unfinished responses, in bytes. With 12,500 peerings, an exposition
    /// has about 11 MB, or 1 MB compressed, and the JSON about 8 MB.
    pub(super) fn budget(self) -> usize {
        match self {
            Self::Exposition => 32 << 20,
            Self::Json => 20 << 20,
            Self::CompressedExposition | Self::Page => 8 << 20,
        }
    }
}

impl Body {
    /// A short text, which needs no budget.
    pub(super) fn short(text: Bytes) -> Self {
        Self { data: text.chain(Bytes::new()), version: None }
    }
}
