//! Who calls: organizations and their API keys.
//!
//! [`Identity`] keeps both in the store and recognizes callers from a cache, which
//! forgets a key at once when it is told so and by itself within a minute.

mod api_keys;
mod audit;
mod authentication;
mod config;
mod error;
mod last_used;
mod mail;
mod organizations;
mod principal;
mod randomness;
mod service;
mod tokens;

pub use api_keys::{CreatedApiKey, NewApiKey};
pub use audit::AuditLine;
pub use config::{IdentityConfig, PasswordCost, SignUp};
pub use error::{AuthError, IdentityError};
pub use mail::{Mail, MailError, Mailer};
pub use principal::Principal;
pub use randomness::{Randomness, SystemRandomness};
pub use service::Identity;
