//! Every page of a listing, or an error.

pub(crate) mod page;
pub(crate) mod pages;
