//! Something that is wrong, and what to do about it.

use atlas::ErrorKind;

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// Atlas's `errorCode`, else the word that the failure is counted under.
    pub(super) code: String,
    /// What happened, as a message.
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

impl Trouble {
    /// Where the API should begin there is nothing.
    pub(super) fn no_atlas(error: &ErrorKind) -> Self {
        let advice = "check the account's `base_url`: what answers there is not Atlas".to_owned();
        Self { advice, ..of(error) }
    }

    /// So many groups are seen by another account too.
    pub(super) fn overlap(groups: usize, other: &str) -> Self {
        let said =
            format!("{groups} groups are seen by the account `{other}` too; whichever finds them first watches them");
        let advice = "let one account see them only: `include` and `exclude` under `discover` choose";
        Self { code: "overlap".to_owned(), said, advice: advice.to_owned() }
    }
}

pub(super) fn of(error: &ErrorKind) -> Trouble {
    let code = error.code().unwrap_or(error.reason().as_str());
    Trouble { code: code.to_owned(), said: error.error_chain(), advice: error.advice().to_owned() }
}
