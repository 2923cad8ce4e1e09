//! Who calls: people, organizations and their API keys.
//!
//! [`Identity`] keeps both in the store and recognizes callers from a cache, which
//! forgets a key at once when it is told so and by itself within a minute.

mod api_keys;
mod audit;
mod authentication;
mod config;
mod error;
mod invitations;
mod last_used;
mod mail;
mod members;
mod organizations;
mod people;
mod principal;
mod randomness;
mod secrets;
mod service;
mod tokens;

pub use api_keys::{CreatedApiKey, NewApiKey};
pub use audit::AuditLine;
pub use config::{IdentityConfig, PasswordCost, SignUp};
pub use error::{AuthError, IdentityError, Refusal};
pub use invitations::{InvitationPreview, IssuedInvitation, NewAccount, NewInvitation};
pub use mail::{Mail, MailError, Mailer};
pub use people::{
    Client, CurrentLogin, LogIn, NewLogin, NewUser, Password, SignUpRequest, TotpOffer, UserPage,
};
pub use principal::Principal;
pub use randomness::{Randomness, SystemRandomness};
pub use secrets::OneTimeSecret;
pub use service::Identity;
