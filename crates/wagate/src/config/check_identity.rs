//! What the settings about people must fulfil.

use std::collections::BTreeSet;

use url::{Host, Url};
use wagate_identity::SmtpMailer;

use super::Config;
use super::check::{Checked, require};
use super::identity::{IdentitySection, IssuerSection, ProviderSection, SignUpPolicy};

pub(super) fn check_identity(config: &Config) -> Checked {
    let identity = &config.identity;
    check_numbers(identity)?;
    check_mail(config)?;
    require(
        !identity.token_audience.is_empty(),
        "identity.token_audience",
        "expected a name, such as wagate",
    )?;
    require(
        identity.builtin || !identity.issuers.is_empty(),
        "identity.builtin",
        "without login tokens of its own, the service needs another issuer in `identity.issuers`",
    )?;
    check_issuers(config)?;
    check_providers(config)
}

fn check_numbers(identity: &IdentitySection) -> Checked {
    // Less can be guessed; more, and a few logins take the memory of the machine.
    require(
        (7 * 1024..=1024 * 1024).contains(&identity.password_memory_kib),
        "identity.password_memory_kib",
        "must be between 7168 and 1048576",
    )?;
    require(
        (1..=20).contains(&identity.password_passes),
        "identity.password_passes",
        "must be between 1 and 20",
    )?;
    require(
        identity.password_memory_kib >= 19 * 1024 || identity.password_passes >= 5,
        "identity.password_passes",
        "must be at least 5 where `identity.password_memory_kib` is below 19456",
    )?;
    require(
        (1..=365).contains(&identity.login_days),
        "identity.login_days",
        "must be between 1 and 365",
    )?;
    require(
        (1..=365).contains(&identity.token_key_days),
        "identity.token_key_days",
        "must be between 1 and 365",
    )
}

fn check_mail(config: &Config) -> Checked {
    let identity = &config.identity;
    let smtp = &identity.smtp;
    require(
        smtp.url.is_some() || smtp.from.is_none(),
        "identity.smtp.url",
        "is needed where `identity.smtp.from` is set",
    )?;
    if let Some(url) = &smtp.url {
        let from = smtp.from.as_deref().unwrap_or_default();
        if let Err(error) = SmtpMailer::new(url, from) {
            let is_sender = error == wagate_identity::SmtpError::From;
            let key = if is_sender {
                "identity.smtp.from"
            } else {
                "identity.smtp.url"
            };
            return require(false, key, &error.to_string());
        }
        require(
            config.api.public_url.is_some(),
            "api.public_url",
            "is needed where `identity.smtp` is set: links in mails begin with it",
        )?;
    }
    require(
        identity.sign_up != SignUpPolicy::Open || smtp.url.is_some(),
        "identity.sign_up",
        "`open` needs `identity.smtp`: addresses could not be confirmed, and anybody could \
         claim anybody's",
    )
}

fn check_issuers(config: &Config) -> Checked {
    const KEY: &str = "identity.issuers";
    let fault = |expected: &str| require(false, KEY, expected);
    let own = config.api.public_url.as_deref().unwrap_or("wagate");
    let mut seen = BTreeSet::from([own.trim_end_matches('/')]);
    for issuer in &config.identity.issuers {
        let IssuerSection {
            issuer: name,
            audience,
            jwks_url,
            claims,
            ..
        } = issuer;
        if name.is_empty() || audience.is_empty() {
            return fault("each needs `issuer`, `audience` and `jwks_url`");
        }
        if !seen.insert(name.as_str()) {
            return fault("each needs an `issuer` of its own, which is not this service's either");
        }
        if !is_safe_url(jwks_url) {
            return fault("expected an https:// URL in `jwks_url`; http:// only on this machine");
        }
        let names = [
            &claims.subject,
            &claims.name,
            &claims.organization,
            &claims.organization_role,
            &claims.platform_role,
        ];
        if names.into_iter().flatten().any(String::is_empty) {
            return fault(
                "expected names in `claims`, or JSON pointers such as /realm_access/roles",
            );
        }
    }
    Ok(())
}

fn check_providers(config: &Config) -> Checked {
    const KEY: &str = "identity.providers";
    let fault = |expected: &str| require(false, KEY, expected);
    let mut seen = BTreeSet::new();
    for provider in &config.identity.providers {
        let ProviderSection { id, .. } = provider;
        let is_id = (1..=32).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_id || !seen.insert(id) {
            return fault("each needs an `id` of its own, of lower-case letters, digits and `-`");
        }
        if !is_safe_url(&provider.issuer) {
            return fault("expected an https:// URL in `issuer`; http:// only on this machine");
        }
        if provider.client_id.is_empty() {
            return fault("each needs the `client_id` that the provider gave");
        }
        if !provider.scopes.iter().any(|scope| scope == "openid") {
            return fault("expected `openid` among `scopes`");
        }
        if provider.creates_accounts && provider.allowed_email_domains.is_empty() {
            return fault(
                "`creates_accounts` needs `allowed_email_domains`; [\"*\"] lets in everybody \
                 whom the provider knows",
            );
        }
    }
    require(
        seen.is_empty() || config.api.public_url.is_some(),
        "api.public_url",
        "is needed where `identity.providers` is set: providers send browsers back there",
    )?;
    require(
        seen.is_empty() || config.identity.builtin,
        "identity.builtin",
        "is needed where `identity.providers` is set: whoever signs in gets tokens of this service",
    )
}

/// Whether nobody on the way can change what comes from there.
fn is_safe_url(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let is_here = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        url.has_host()
            && url.username().is_empty()
            && url.fragment().is_none()
            && (url.scheme() == "https" || (url.scheme() == "http" && is_here))
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::ConfigError;
    use super::*;

    fn fault(change: impl FnOnce(&mut Config)) -> Option<(&'static str, String)> {
        let mut config = Config::default();
        config.api.public_url = Some("https://wa.example.com".into());
        change(&mut config);
        match check_identity(&config) {
            Err(ConfigError::Value { key, expected }) => Some((key, expected)),
            Err(other) => panic!("{other}"),
            Ok(()) => None,
        }
    }

    fn key(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        fault(change).map(|(key, _)| key)
    }

    fn smtp(config: &mut Config) {
        config.identity.smtp.url = Some("smtps://u:p@mail.example.com".into());
        config.identity.smtp.from = Some("wagate <no-reply@example.com>".into());
    }

    fn issuer() -> IssuerSection {
        IssuerSection {
            issuer: "https://login.example.com".into(),
            audience: "wagate".into(),
            jwks_url: "https://login.example.com/keys".into(),
            ..IssuerSection::default()
        }
    }

    fn provider() -> ProviderSection {
        ProviderSection {
            id: "corp".into(),
            issuer: "https://login.example.com".into(),
            client_id: "wagate".into(),
            ..ProviderSection::default()
        }
    }

    #[test]
    fn open_sign_up_needs_mails_and_mails_need_a_public_url() {
        let open = |c: &mut Config| c.identity.sign_up = SignUpPolicy::Open;
        let (key_of_it, expected) = fault(open).unwrap();
        assert_eq!(key_of_it, "identity.sign_up");
        assert!(expected.contains("identity.smtp"), "{expected}");
        let with_mails = |c: &mut Config| {
            open(c);
            smtp(c);
        };
        assert_eq!(key(with_mails), None);
        let without_url = |c: &mut Config| {
            smtp(c);
            c.api.public_url = None;
        };
        assert_eq!(key(without_url), Some("api.public_url"));
    }

    #[test]
    fn a_wrong_value_is_named_by_its_own_key() {
        type Change = fn(&mut IdentitySection);
        let wrong: [(&str, Change); 12] = [
            ("identity.password_memory_kib", |i| {
                i.password_memory_kib = 1;
            }),
            ("identity.password_passes", |i| i.password_passes = 0),
            ("identity.password_passes", |i| {
                i.password_memory_kib = 8_000;
            }),
            ("identity.login_days", |i| i.login_days = 0),
            ("identity.token_key_days", |i| i.token_key_days = 366),
            ("identity.token_audience", |i| i.token_audience.clear()),
            ("identity.builtin", |i| i.builtin = false),
            ("identity.smtp.url", |i| {
                i.smtp.from = Some("a@b.example".into());
            }),
            ("identity.smtp.url", |i| {
                i.smtp.url = Some("http://mail.example.com".into());
                i.smtp.from = Some("a@b.example".into());
            }),
            ("identity.smtp.from", |i| {
                i.smtp.url = Some("smtp://mail.example.com".into());
            }),
            ("identity.issuers", |i| {
                i.issuers = vec![IssuerSection::default()];
            }),
            ("identity.providers", |i| {
                i.providers = vec![ProviderSection::default()];
            }),
        ];
        for (expected, change) in wrong {
            assert_eq!(key(|c| change(&mut c.identity)), Some(expected));
        }
    }

    #[test]
    fn issuers_are_told_apart_and_reached_safely() {
        let with = |change: fn(&mut IssuerSection)| {
            let mut changed = issuer();
            change(&mut changed);
            key(|c| c.identity.issuers = vec![changed])
        };
        assert_eq!(with(|_| {}), None);
        assert_eq!(
            with(|i| i.jwks_url = "http://127.0.0.1:1/keys".into()),
            None
        );
        let wrong: [fn(&mut IssuerSection); 5] = [
            |i| i.jwks_url = "http://login.example.com/keys".into(),
            |i| i.jwks_url = "file:///keys".into(),
            |i| i.issuer = "https://wa.example.com".into(),
            |i| i.audience.clear(),
            |i| i.claims.name = Some(String::new()),
        ];
        for change in wrong {
            assert_eq!(with(change), Some("identity.issuers"));
        }
        let twice = |c: &mut Config| c.identity.issuers = vec![issuer(), issuer()];
        assert_eq!(key(twice), Some("identity.issuers"));
        let alone = |c: &mut Config| {
            c.identity.issuers = vec![issuer()];
            c.identity.builtin = false;
        };
        assert_eq!(key(alone), None);
    }

    #[test]
    fn providers_are_told_apart_and_let_in_whom_the_operator_names() {
        let with = |change: fn(&mut ProviderSection)| {
            let mut changed = provider();
            change(&mut changed);
            key(|c| c.identity.providers = vec![changed])
        };
        assert_eq!(with(|_| {}), None);
        let wrong: [fn(&mut ProviderSection); 5] = [
            |p| p.id = "Corp/1".into(),
            |p| p.issuer = "http://login.example.com".into(),
            |p| p.client_id.clear(),
            |p| p.scopes = vec!["email".into()],
            |p| p.creates_accounts = true,
        ];
        for change in wrong {
            assert_eq!(with(change), Some("identity.providers"));
        }
        let nowhere = |c: &mut Config| {
            c.identity.providers = vec![provider()];
            c.api.public_url = None;
        };
        assert_eq!(key(nowhere), Some("api.public_url"));
    }
}
