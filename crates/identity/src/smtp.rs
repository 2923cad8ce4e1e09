//! Mails by SMTP.

use std::time::Duration;

use async_trait::async_trait;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use url::{Host, Url};
use wagate_model::hide_contents;

use crate::mail::{Mail, MailError, Mailer};

/// How long each step of handing a mail over may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(20);

/// Ports by RFC 8314 and RFC 5321.
const SUBMISSIONS_PORT: u16 = 465;
const SUBMISSION_PORT: u16 = 587;
const PLAIN_PORT: u16 = 25;

/// A mail server that mails are handed over to, each in a connection of its own: they are rare.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

hide_contents!(SmtpMailer);

/// Why mails cannot be sent with the settings given; says nothing of what they hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SmtpError {
    /// The URL is something else.
    #[error(
        "expected smtps://user:password@host, or smtp://… for STARTTLS; \
         smtp://host?tls=none sends without encryption"
    )]
    Url,
    /// The password would be sent for everybody to read.
    #[error("a password is not sent without encryption: leave `tls=none` out, or the password")]
    PlainPassword,
    /// The sender is no address.
    #[error("expected an address, such as wagate <no-reply@example.com>")]
    From,
    /// The TLS library does not work.
    #[error("TLS cannot be set up")]
    Tls,
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => name.eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

fn decoded(text: &str) -> String {
    // Percent-decoding alone: a plus sign in a password is one.
    let text = text.replace('+', "%2B");
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.map(|(text, _)| text.into_owned()).collect()
}

/// Trusts the public roots that are built in and those of the operating system.
fn tls_parameters(host: &str) -> Result<TlsParameters, lettre::transport::smtp::Error> {
    let builder = TlsParameters::builder(host.to_owned());
    let builder = builder.certificate_store(CertificateStore::WebpkiRoots);
    rustls_native_certs::load_native_certs()
        .certs
        .into_iter()
        .filter_map(|certificate| Certificate::from_der(certificate.to_vec()).ok())
        .fold(builder, |builder, certificate| {
            builder.add_root_certificate(certificate)
        })
        .build_rustls()
}

fn builder(url: &Url) -> Result<AsyncSmtpTransportBuilder, SmtpError> {
    // Not `Url::host`: of schemes that are not the web's, the URL's host is only a text.
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = Host::parse(host.ok_or(SmtpError::Url)?).map_err(|_| SmtpError::Url)?;
    let name = match &host {
        // TLS and the dialler want addresses without brackets.
        Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    };
    let is_plain = match url.query() {
        None => {
            let host = match &host {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(address) => Host::Ipv4(*address),
                Host::Ipv6(address) => Host::Ipv6(*address),
            };
            is_loopback(&host)
        }
        Some("tls=none") => true,
        Some("tls=required") => false,
        Some(_) => return Err(SmtpError::Url),
    };
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        return Err(SmtpError::Url);
    }
    let parameters = || tls_parameters(&name).map_err(|_| SmtpError::Tls);
    let (port, tls) = match url.scheme() {
        "smtps" => (SUBMISSIONS_PORT, Tls::Wrapper(parameters()?)),
        "smtp" if is_plain => (PLAIN_PORT, Tls::None),
        "smtp" => (SUBMISSION_PORT, Tls::Required(parameters()?)),
        _ => return Err(SmtpError::Url),
    };
    let is_encrypted = !matches!(tls, Tls::None);
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&name)
        .port(url.port().unwrap_or(port))
        .tls(tls);
    if let Some(password) = url.password() {
        // On this machine nobody reads along.
        if !is_encrypted && url.query().is_some() {
            return Err(SmtpError::PlainPassword);
        }
        let credentials = Credentials::new(decoded(url.username()), decoded(password));
        builder = builder.credentials(credentials);
    }
    Ok(builder)
}

impl SmtpMailer {
    /// A mailer that hands mails over to a server.
    ///
    /// `smtps://` is encrypted from the beginning, `smtp://` by STARTTLS, which is required
    /// unless the server is on this machine or the URL says `?tls=none`.
    pub fn new(url: &str, from: &str) -> Result<Self, SmtpError> {
        let url = Url::parse(url).map_err(|_| SmtpError::Url)?;
        let transport = builder(&url)?.timeout(Some(STEP_TIMEOUT)).build();
        Ok(Self {
            transport,
            from: from.parse().map_err(|_| SmtpError::From)?,
        })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let refused = |reason: &str| MailError(reason.to_owned());
        let to: Address = mail
            .to
            .as_str()
            .parse()
            .map_err(|_| refused("the address cannot be used"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(mail.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(mail.text)
            .map_err(|_| refused("the mail cannot be written"))?;
        match self.transport.send(message).await {
            Ok(_) => Ok(()),
            // What a server says may hold the address.
            Err(error) => Err(match error.status() {
                Some(code) => MailError(format!("the server answers {code}")),
                None if error.is_timeout() => refused("the server does not answer in time"),
                None if error.is_tls() => refused("the server's TLS is not accepted"),
                None => refused("the server cannot be reached"),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(url: &str) -> Option<SmtpError> {
        SmtpMailer::new(url, "wagate <no-reply@example.com>").err()
    }

    #[test]
    fn a_url_says_how_mails_are_handed_over() {
        for url in [
            "smtps://user:p%40ss@mail.example.com",
            "smtp://mail.example.com",
            "smtp://user:pass@mail.example.com:2525",
            "smtp://mail.example.com?tls=none",
            "smtp://user:pass@127.0.0.1:25",
            "smtp://[::1]",
        ] {
            assert_eq!(fault(url), None, "{url}");
        }
        for url in [
            "",
            "mail.example.com",
            "https://mail.example.com",
            "smtp://",
            "smtp://mail.example.com?tls=maybe",
            "smtp://mail.example.com/name",
        ] {
            assert_eq!(fault(url), Some(SmtpError::Url), "{url}");
        }
    }

    #[test]
    fn a_password_is_not_sent_for_all_to_read() {
        let url = "smtp://user:pass@mail.example.com?tls=none";
        assert_eq!(fault(url), Some(SmtpError::PlainPassword));
    }

    #[test]
    fn passwords_hold_any_character() {
        assert_eq!(decoded("p%40s+s%25%26=x"), "p@s+s%&");
    }
}
