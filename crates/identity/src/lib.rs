//! Who calls: organizations and their API keys, people and their login tokens.
//!
//! [`Identity`] keeps them in the store and recognizes callers from a cache, which
//! forgets a key or a user at once when it is told so and by itself within a minute.

mod api_keys;
mod authentication;
mod config;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod issuer_client;
mod last_used;
mod mail;
mod oidc;
mod organizations;
mod principal;
mod randomness;
mod remembered;
mod service;
mod smtp;
mod tokens;

pub use api_keys::{CreatedApiKey, NewApiKey};
pub use config::{IdentityConfig, PasswordCost, SignUp};
pub use error::{AuthError, IdentityError, TokenFault};
pub use issuer_client::{FetchError, IssuerClient};
pub use mail::{Mail, MailError, Mailer};
pub use oidc::{OidcBegun, OidcError, OidcSignIn, ProviderConfig, SecretText};
pub use principal::Principal;
pub use randomness::{Randomness, SystemRandomness};
pub use service::Identity;
pub use smtp::{SmtpError, SmtpMailer};
pub use tokens::{ClaimNames, IssuerConfig, MintedToken};
