//! What can go wrong.

use std::sync::Arc;

use wagate_model::Faults;
use wagate_store::StoreError;

/// A failure to change or list organizations and keys.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The request has faults.
    #[error("{0}")]
    Invalid(Faults),
    /// There is no such organization or key, or it is another organization's.
    #[error("not found")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a credential is not accepted. Callers are told the first four alike.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// The text does not have the form of an API key.
    #[error("the credential is not an api key")]
    Malformed,
    /// No such key was ever made, or its organization is gone.
    #[error("the api key is not known")]
    Unknown,
    /// The key was revoked.
    #[error("the api key was revoked")]
    Revoked,
    /// The key has expired.
    #[error("the api key has expired")]
    Expired,
    /// Whether the key is good could not be found out.
    #[error("the api key could not be looked up")]
    Unavailable(#[source] Arc<StoreError>),
}
