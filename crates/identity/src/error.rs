//! What can go wrong.

use std::sync::Arc;

use wagate_model::Faults;
use wagate_store::StoreError;

/// A failure to change or list people, organizations and keys.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The request has faults.
    #[error("{0}")]
    Invalid(Faults),
    /// There is no such organization, key or person, or it is another organization's.
    #[error("not found")]
    NotFound,
    /// The state, or a setting, does not allow it.
    #[error("{0}")]
    Refused(Refusal),
    /// Too many failures to sign in.
    #[error("too many failures; to be tried again in {retry_after_seconds} s")]
    TooManyFailures {
        /// When to try again, in seconds.
        retry_after_seconds: i64,
    },
    /// Too many passwords are being checked at the same time.
    #[error("too many passwords are being checked")]
    Busy,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A defect.
    #[error("{0}")]
    Internal(String),
}

/// Why the state, or a setting, does not allow something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Accounts are made by the operator only, or for those who were invited.
    #[error("nobody can sign up here")]
    SignUpClosed,
    /// No such account, a wrong password, a ban, an address that is not confirmed: told alike.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// The password is right, and a second factor is needed.
    #[error("a code of the second factor is required")]
    SecondFactorRequired,
    /// The password is right, and the code is not.
    #[error("the code of the second factor is wrong or was used already")]
    WrongSecondFactor,
    /// An organization has to have an owner.
    #[error("the organization would have no owner")]
    LastOwner,
    /// The person is a member already.
    #[error("is a member already")]
    AlreadyMember,
    /// A second factor is on already.
    #[error("a second factor is on already")]
    SecondFactorOn,
    /// There is no second factor, or none was offered.
    #[error("there is no second factor")]
    SecondFactorOff,
    /// An account of that address exists: its owner has to sign in.
    #[error("sign in to the account of that address first")]
    SignInFirst,
    /// Only an owner of the organization may.
    #[error("only an owner may")]
    OwnersOnly,
    /// Only the operator may.
    #[error("only the operator may")]
    OperatorOnly,
    /// There are as many as there may be.
    #[error("there are as many as there may be")]
    LimitReached,
    /// The address has an account already.
    #[error("the address has an account already")]
    EmailTaken,
}

/// Why a credential is not accepted. Callers are told all but the last alike.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AuthError {
    /// The text does not have the form of a credential.
    #[error("the credential has no known form")]
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
    /// Whether the credential is good could not be found out.
    #[error("the credential could not be looked up")]
    Unavailable(#[source] Arc<StoreError>),
}
