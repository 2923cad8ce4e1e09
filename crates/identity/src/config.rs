//! What an operator can set.

use std::fmt;
use std::sync::Arc;

use url::Url;

use crate::issuer_client::IssuerClient;
use crate::mail::Mailer;
use crate::oidc::ProviderConfig;
use crate::tokens::IssuerConfig;

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignUp {
    /// Anybody.
    Open,
    /// Whoever was invited into an organization.
    Invitation,
    /// Nobody but by the operator; an invitation is for people who have an account.
    #[default]
    Closed,
}

impl SignUp {
    /// The name used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invitation => "invitation",
            Self::Closed => "closed",
        }
    }
}

/// What hashing one password costs (Argon2id, RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// The second recommended choice of OWASP's cheat sheet on password storage, which is as
    /// strong as the others: 19 MiB, so that a burst of logins does not take the memory away.
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            passes: 2,
            lanes: 1,
        }
    }
}

/// What an operator can set.
#[derive(Clone)]
pub struct IdentityConfig {
    /// Where people reach the service; links begin with it.
    pub public_url: Option<Url>,
    /// What links begin with where there is no such address: where this machine listens.
    pub local_url: Option<Url>,
    /// Who may make an account.
    pub sign_up: SignUp,
    /// Whether every user may make organizations, or only the operator.
    pub users_create_organizations: bool,
    /// What hashing one password costs.
    pub password_cost: PasswordCost,
    /// How long a browser stays signed in without being used, in days.
    pub login_days: u32,
    /// How links reach people; where there is no way, the operator hands them over.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Whether login tokens are made here, and accepted.
    pub has_builtin_issuer: bool,
    /// This installation's name in its own tokens (`aud`).
    pub token_audience: String,
    /// How old a key may get that login tokens are signed with, in days.
    pub token_key_days: u32,
    /// Other issuers whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// Providers that people can sign in with.
    pub providers: Vec<ProviderConfig>,
    /// How issuers and providers are reached; not at all where absent.
    pub issuer_client: Option<IssuerClient>,
}

impl IdentityConfig {
    /// This installation's name in its own tokens (`iss`).
    #[must_use]
    pub fn token_issuer(&self) -> &str {
        let url = self.public_url.as_ref().map(Url::as_str);
        url.map_or("wagate", |url| url.trim_end_matches('/'))
    }
}

impl Default for IdentityConfig {
    fn default() -> Self {
        Self {
            public_url: None,
            local_url: None,
            sign_up: SignUp::default(),
            users_create_organizations: true,
            password_cost: PasswordCost::default(),
            login_days: 30,
            mailer: None,
            has_builtin_issuer: true,
            token_audience: "wagate".into(),
            token_key_days: 30,
            issuers: Vec::new(),
            providers: Vec::new(),
            issuer_client: None,
        }
    }
}

impl fmt::Debug for IdentityConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityConfig")
            .field("sign_up", &self.sign_up)
            .field("has_mailer", &self.mailer.is_some())
            .finish_non_exhaustive()
    }
}
