//! A simulated Atlas API.
