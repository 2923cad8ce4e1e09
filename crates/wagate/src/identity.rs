//! What the configuration says about people, as the identity service takes it.

use std::sync::Arc;

use anyhow::Context as _;
use wagate_identity::{
    ClaimNames, IdentityConfig, IssuerClient, IssuerConfig, Mailer, PasswordCost, ProviderConfig,
    SecretText, SignUp, SmtpMailer,
};

use crate::config::{
    ClaimsSection, Config, IssuerSection, ProviderSection, SignUpPolicy, SmtpSection,
};

/// The settings of the identity service.
pub(crate) fn identity_config(config: &Config) -> anyhow::Result<IdentityConfig> {
    let identity = &config.identity;
    let public_url = config.api.public_url.as_deref();
    let issuers: Result<Vec<_>, _> = identity.issuers.iter().map(issuer).collect();
    let asks_others = !identity.issuers.is_empty() || !identity.providers.is_empty();
    Ok(IdentityConfig {
        public_url: public_url
            .map(str::parse)
            .transpose()
            .context("configuration: `api.public_url`")?,
        local_url: format!("http://{}", config.api.listen).parse().ok(),
        sign_up: match identity.sign_up {
            SignUpPolicy::Open => SignUp::Open,
            SignUpPolicy::Invitation => SignUp::Invitation,
            SignUpPolicy::Closed => SignUp::Closed,
        },
        users_create_organizations: identity.users_create_organizations,
        password_cost: PasswordCost {
            memory_kib: identity.password_memory_kib,
            passes: identity.password_passes,
            ..PasswordCost::default()
        },
        mailer: mailer(&identity.smtp)?,
        login_days: identity.login_days,
        has_builtin_issuer: identity.builtin,
        token_audience: identity.token_audience.clone(),
        token_key_days: identity.token_key_days,
        issuers: issuers?,
        providers: identity.providers.iter().map(provider).collect(),
        issuer_client: asks_others.then(issuer_client).transpose()?,
    })
}

fn issuer_client() -> anyhow::Result<IssuerClient> {
    let tls = wagate_delivery::tls_config().context("TLS for issuers")?;
    Ok(IssuerClient::new(tls)?)
}

fn mailer(smtp: &SmtpSection) -> anyhow::Result<Option<Arc<dyn Mailer>>> {
    let Some(url) = &smtp.url else {
        return Ok(None);
    };
    let mailer = SmtpMailer::new(url, smtp.from.as_deref().unwrap_or_default())
        .context("configuration: `identity.smtp`")?;
    Ok(Some(Arc::new(mailer)))
}

fn issuer(section: &IssuerSection) -> anyhow::Result<IssuerConfig> {
    let ClaimsSection {
        subject,
        name,
        organization,
        organization_role,
        platform_role,
    } = section.claims.clone();
    let usual = ClaimNames::default();
    Ok(IssuerConfig {
        issuer: section.issuer.clone(),
        audience: section.audience.clone(),
        jwks_url: section
            .jwks_url
            .parse()
            .context("configuration: `identity.issuers`")?,
        claims: ClaimNames {
            subject: subject.unwrap_or(usual.subject),
            name: name.unwrap_or(usual.name),
            organization: organization.unwrap_or(usual.organization),
            organization_role: organization_role.unwrap_or(usual.organization_role),
            platform_role: platform_role.unwrap_or(usual.platform_role),
        },
        organization_id: section.organization_id,
        default_role: section.default_role,
        allows_super_admin: section.allows_super_admin,
    })
}

fn provider(section: &ProviderSection) -> ProviderConfig {
    ProviderConfig {
        id: section.id.clone(),
        name: section.name.clone().unwrap_or_else(|| section.id.clone()),
        issuer: section.issuer.clone(),
        client_id: section.client_id.clone(),
        client_secret: section.client_secret.as_deref().map(SecretText::new),
        scopes: section.scopes.clone(),
        creates_accounts: section.creates_accounts,
        allowed_email_domains: section.allowed_email_domains.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_configured_arrives_and_secrets_are_not_shown() {
        let mut config = Config::default();
        config.api.public_url = Some("https://wa.example.com".into());
        config.identity.login_days = 7;
        config.identity.smtp = SmtpSection {
            url: Some("smtps://u:hunter2@mail.example.com".into()),
            url_file: None,
            from: Some("wagate <no-reply@example.com>".into()),
        };
        config.identity.providers = vec![ProviderSection {
            id: "corp".into(),
            client_secret: Some("hunter2".into()),
            ..ProviderSection::default()
        }];
        config.identity.issuers = vec![IssuerSection {
            jwks_url: "https://login.example.com/keys".into(),
            claims: ClaimsSection {
                organization: Some("tenant".into()),
                ..ClaimsSection::default()
            },
            ..IssuerSection::default()
        }];
        let identity = identity_config(&config).unwrap();
        assert_eq!(identity.token_issuer(), "https://wa.example.com");
        assert_eq!(identity.login_days, 7);
        assert!(identity.mailer.is_some() && identity.issuer_client.is_some());
        let provider = &identity.providers[0];
        assert_eq!(provider.name, "corp");
        assert_eq!(provider.client_secret, Some(SecretText::new("hunter2")));
        let claims = &identity.issuers[0].claims;
        assert_eq!(
            (claims.organization.as_str(), claims.subject.as_str()),
            ("tenant", "sub")
        );
        for shown in [format!("{config:?}"), format!("{identity:?} {provider:?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
