//! People: accounts, logins, and who else vouches for them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wagate_model::{OrganizationId, Role, hide_contents};

/// People.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IdentitySection {
    pub(crate) sign_up: SignUpPolicy,
    pub(crate) users_create_organizations: bool,
    pub(crate) password_memory_kib: u32,
    pub(crate) password_passes: u32,
    pub(crate) login_days: u32,
    pub(crate) builtin: bool,
    pub(crate) token_audience: String,
    pub(crate) token_key_days: u32,
    pub(crate) smtp: SmtpSection,
    pub(crate) issuers: Vec<IssuerSection>,
    pub(crate) providers: Vec<ProviderSection>,
}

impl Default for IdentitySection {
    fn default() -> Self {
        Self {
            sign_up: SignUpPolicy::Closed,
            users_create_organizations: true,
            password_memory_kib: 19 * 1024,
            password_passes: 2,
            login_days: 30,
            builtin: true,
            token_audience: "wagate".into(),
            token_key_days: 30,
            smtp: SmtpSection::default(),
            issuers: Vec::new(),
            providers: Vec::new(),
        }
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SignUpPolicy {
    /// Anybody.
    Open,
    /// Whoever was invited.
    Invitation,
    /// Nobody but by the operator.
    Closed,
}

/// How mails are sent.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SmtpSection {
    pub(crate) url: Option<String>,
    pub(crate) url_file: Option<PathBuf>,
    pub(crate) from: Option<String>,
}

// Holds a password.
hide_contents!(SmtpSection { from });

/// An issuer whose login tokens are accepted.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct IssuerSection {
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) jwks_url: String,
    pub(crate) claims: ClaimsSection,
    pub(crate) organization_id: Option<OrganizationId>,
    pub(crate) default_role: Option<Role>,
    pub(crate) allows_super_admin: bool,
}

/// How an issuer's tokens name what is needed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ClaimsSection {
    pub(crate) subject: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) organization_role: Option<String>,
    pub(crate) platform_role: Option<String>,
}

/// A provider that people can sign in with.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ProviderSection {
    pub(crate) id: String,
    pub(crate) name: Option<String>,
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<String>,
    pub(crate) client_secret_file: Option<PathBuf>,
    pub(crate) scopes: Vec<String>,
    pub(crate) creates_accounts: bool,
    pub(crate) allowed_email_domains: Vec<String>,
}

impl Default for ProviderSection {
    fn default() -> Self {
        Self {
            id: String::new(),
            name: None,
            issuer: String::new(),
            client_id: String::new(),
            client_secret: None,
            client_secret_file: None,
            scopes: ["openid", "email", "profile"].map(str::to_owned).to_vec(),
            creates_accounts: false,
            allowed_email_domains: Vec::new(),
        }
    }
}

// Holds a password.
hide_contents!(ProviderSection { id });
