//! What Atlas returns, as plain types.

pub(crate) mod container;
pub(crate) mod credential_info;
pub(crate) mod group;
pub(crate) mod id;
pub(crate) mod peering;
pub(crate) mod provider;
pub(crate) mod wire;
