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
    /// The store failed, and several wait for what it would have said.
    #[error(transparent)]
    SharedStore(#[from] Arc<StoreError>),
}

/// What is wrong with a login token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenFault {
    /// Its issuer is not one whose tokens are accepted.
    #[error("its issuer is not known")]
    Issuer,
    /// Its issuer has no such key.
    #[error("its key is not known")]
    Key,
    /// The key did not sign it, or is not for the algorithm that it names.
    #[error("its signature is wrong")]
    Signature,
    /// It is for somebody else.
    #[error("it is for another audience")]
    Audience,
    /// A claim is missing, or is something else than it should be.
    #[error("its claims are incomplete")]
    Claims,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet")]
    NotYet,
    /// The login that it was made for has ended, or its user is banned.
    #[error("its login has ended")]
    SignedOut,
}

/// Why a credential is not accepted. Callers are told all but what is retryable alike.
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
    #[error("the credential could not be looked up")]
    Unavailable(#[source] Arc<StoreError>),
    /// The text is a login token that is refused.
    #[error("the token is refused: {0}")]
    Token(#[from] TokenFault),
    /// No key of the token's issuer could be had so far.
    #[error("the keys of the token's issuer are not available")]
    IssuerUnavailable,
}

impl AuthError {
    /// Whether the same credential may be accepted later.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::IssuerUnavailable)
    }
}
