//! Something that is wrong, and what to do about it.

use crate::atlas::ErrorKind;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Atlas's `errorCode`, else the word that the failure is counted under.
    pub(super) code: String,
    /// What happened, as a sentence.
    pub(super) said: String,
    /// What to do.
    pub(super) advice: String,
}

impl Trouble {
    /// The credential sees so many groups, and none is watched.
    pub(super) fn no_group(seen: usize) -> Self {
        let advice = match seen {
            0 => "give the credential Organization Read Only, or Project Read Only in each group to watch",
            _ => "see what `include` and `exclude` under `discover` select",
        };
        let said = format!("the credential sees {seen} groups, and none of them is watched");
        Self { code: "no_group".to_owned(), said, advice: advice.to_owned() }
    }
}

pub(super) fn of(error: &ErrorKind) -> Trouble {
    let code = error.code().unwrap_or(error.reason().as_str());
    Trouble { code: code.to_owned(), said: error.sentence(), advice: error.advice().to_owned() }
}
