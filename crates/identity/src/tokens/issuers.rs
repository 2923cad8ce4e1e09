//! Other issuers, whose tokens are accepted beside or instead of our own.

use std::sync::Arc;

use url::Url;
use wagate_model::{Clock, OrganizationId, PersonPrincipal, PlatformRole, Role, Subject};

use super::jws::Claims;
use super::remote_keys::RemoteKeys;
use super::standings::Person;
use crate::error::TokenFault;
use crate::issuer_client::IssuerClient;

/// Longest name of a subject, in characters (OpenID Connect Core 1.0, 2).
pub(crate) const MAX_SUBJECT_CHARS: usize = 255;

/// Longest name of a person that is kept, in characters.
const MAX_NAME_CHARS: usize = 200;

/// How an issuer's tokens name what is needed: by a claim's name, or by a JSON pointer such as
/// `/realm_access/roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimNames {
    /// Who the token is for.
    pub subject: String,
    /// What the person is called.
    pub name: String,
    /// The id of the active organization.
    pub organization: String,
    /// The role in it, or several: the strongest counts.
    pub organization_role: String,
    /// The role beyond organizations, or several.
    pub platform_role: String,
}

impl Default for ClaimNames {
    fn default() -> Self {
        Self {
            subject: "sub".into(),
            name: "name".into(),
            organization: "activeOrganizationId".into(),
            organization_role: "orgRole".into(),
            platform_role: "role".into(),
        }
    }
}

/// An issuer whose tokens are accepted.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// Its name in its tokens (`iss`).
    pub issuer: String,
    /// Our name in its tokens (`aud`).
    pub audience: String,
    /// Where it publishes its keys.
    pub jwks_url: Url,
    /// How its tokens name what is needed.
    pub claims: ClaimNames,
    /// The organization of everybody it vouches for, whatever its tokens say.
    pub organization_id: Option<OrganizationId>,
    /// The role of those whose tokens name none.
    pub default_role: Option<Role>,
    /// Whether it may name operators of the installation.
    pub allows_super_admin: bool,
}

pub(crate) struct Issuer {
    pub(crate) config: IssuerConfig,
    pub(crate) keys: RemoteKeys,
}

impl Issuer {
    pub(crate) fn new(
        config: IssuerConfig,
        client: Option<IssuerClient>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            keys: RemoteKeys::new(config.jwks_url.clone(), client, clock),
            config,
        }
    }

    /// Who a token is for, by claims that were checked.
    pub(crate) fn person(&self, claims: &Claims, expires_at: i64) -> Result<Person, TokenFault> {
        let config = &self.config;
        let names = &config.claims;
        let subject = claims
            .text(&names.subject)
            .filter(|text| !text.is_empty() && text.chars().count() <= MAX_SUBJECT_CHARS)
            .ok_or(TokenFault::Claims)?;
        let name = claims.text(&names.name).unwrap_or(subject);
        let named = || claims.text(&names.organization)?.parse().ok();
        let role = claims
            .texts(&names.organization_role)
            .filter_map(|text| text.parse::<Role>().ok())
            .max();
        let is_super_admin = config.allows_super_admin
            && claims
                .texts(&names.platform_role)
                .any(|text| text == PlatformRole::SuperAdmin.as_str());
        Ok(Person::new(PersonPrincipal {
            subject: Subject::Foreign {
                issuer: config.issuer.clone(),
                subject: subject.to_owned(),
                expires_at,
            },
            name: name.chars().take(MAX_NAME_CHARS).collect(),
            organization_id: config.organization_id.or_else(named),
            role: role.or(config.default_role),
            platform_role: if is_super_admin {
                PlatformRole::SuperAdmin
            } else {
                PlatformRole::User
            },
        }))
    }
}
