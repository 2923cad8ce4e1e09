//! Who calls: people, organizations, their API keys and login tokens.
//!
//! [`Identity`] keeps them in the store and recognizes callers from a cache, which
//! forgets a key or a user at once when it is told so and by itself within a minute.

mod api_keys;
mod audit;
mod authentication;
mod config;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod invitations;
mod issuer_client;
mod last_used;
mod mail;
mod members;
mod oidc;
mod organizations;
mod people;
mod principal;
mod randomness;
mod remembered;
mod secrets;
mod service;
mod smtp;
mod tokens;

pub use api_keys::{CreatedApiKey, NewApiKey};
pub use audit::AuditLine;
pub use config::{IdentityConfig, PasswordCost, SignUp};
pub use error::{AuthError, IdentityError, Refusal, TokenFault};
pub use invitations::{InvitationPreview, IssuedInvitation, NewAccount, NewInvitation};
pub use issuer_client::{FetchError, IssuerClient};
pub use mail::{Mail, MailError, Mailer};
pub use oidc::{OidcBegun, OidcError, OidcSignIn, ProviderConfig, SecretText};
pub use people::{
    Client, CurrentLogin, LogIn, NewLogin, NewUser, Password, SignUpRequest, TotpOffer, UserPage,
};
pub use principal::Principal;
pub use randomness::{Randomness, SystemRandomness};
pub use secrets::OneTimeSecret;
pub use service::Identity;
pub use smtp::{SmtpError, SmtpMailer};
pub use tokens::{ClaimNames, IssuerConfig, MintedToken};
