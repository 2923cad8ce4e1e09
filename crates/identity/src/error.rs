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
    /// The store failed, and several wait for what it would have said.
    #[error(transparent)]
    SharedStore(#[from] Arc<StoreError>),
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
