//! The guard of outbound requests: which URLs may be requested, and where they may lead.
//!
//! A URL is judged twice: when it is given, by what it says; and at dial time,
//! by the addresses that its host has at that moment.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use crate::addresses::AllowList;

/// Why a URL is refused; the texts complete "the URL …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It cannot be read as an absolute URL.
    #[error("must be an absolute http or https URL")]
    NotAUrl,
    /// It has another scheme.
    #[error("must begin with http:// or https://")]
    Scheme,
    /// It holds a user name or a password.
    #[error("must not hold a user name or a password")]
    Credentials,
    /// Its host is, or leads to, an address that is not public and not opened by the operator.
    #[error("must not lead to a private, local or reserved address")]
    Address,
}

/// Asks for the addresses of a host name.
pub trait HostResolver: Send + Sync + 'static {
    /// The addresses of a host name, in the order in which to try them.
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>>;
}

/// The resolver of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl HostResolver for SystemResolver {
    fn addresses(&self, host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        }
        .boxed()
    }
}

/// Judges URLs and the addresses that they lead to.
#[derive(Clone)]
pub struct AddressGuard {
    allow: Arc<AllowList>,
    resolver: Arc<dyn HostResolver>,
}

impl std::fmt::Debug for AddressGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressGuard")
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

impl AddressGuard {
    /// A guard that permits public addresses and those on the list.
    #[must_use]
    pub fn new(allow: AllowList) -> Self {
        Self::with_resolver(allow, Arc::new(SystemResolver))
    }

    /// A guard that asks another resolver.
    #[must_use]
    pub fn with_resolver(allow: AllowList, resolver: Arc<dyn HostResolver>) -> Self {
        Self {
            allow: Arc::new(allow),
            resolver,
        }
    }

    /// Reads a URL that a user gave and refuses those that can be known to be wrong.
    ///
    /// The parser brings every spelling of an IP address (`0x7f.1`, `2130706433`,
    /// full-width digits) to its one form, and that form is what is dialled later.
    /// A host name is only judged when it is dialled, because its addresses change.
    pub fn check_url(&self, text: &str) -> Result<Url, GuardError> {
        let url = Url::parse(text.trim()).map_err(|_| GuardError::NotAUrl)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(GuardError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(GuardError::Credentials);
        }
        let is_permitted = match url.host().ok_or(GuardError::NotAUrl)? {
            Host::Ipv4(address) => self.allow.permits(IpAddr::V4(address)),
            Host::Ipv6(address) => self.allow.permits(IpAddr::V6(address)),
            // RFC 6761, section 6.3: these names always mean this machine.
            Host::Domain(name) if is_localhost(name) => {
                self.allow.permits(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
            Host::Domain(_) => true,
        };
        if is_permitted {
            Ok(url)
        } else {
            Err(GuardError::Address)
        }
    }
}

fn is_localhost(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    name == "localhost" || name.ends_with(".localhost")
}

/// Resolution at dial time: gives the connector permitted addresses only.
impl Resolve for AddressGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow = self.allow.clone();
        let addresses = self.resolver.addresses(name.as_str().to_owned());
        Box::pin(async move {
            let found = addresses.await?;
            if found.is_empty() {
                return Err(io::Error::from(io::ErrorKind::NotFound).into());
            }
            let permitted: Vec<_> = found
                .into_iter()
                .filter(|address| allow.permits(*address))
                // Port 0: the connector puts the URL's own in its place.
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if permitted.is_empty() {
                return Err(GuardError::Address.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<Url, GuardError> {
        AddressGuard::new(AllowList::none()).check_url(text)
    }

    #[test]
    fn every_spelling_of_a_closed_address_is_refused() {
        for text in [
            "http://127.0.0.1/",
            "http://127.0.0.1./",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001:8080/",
            "http://127.0.0.1:80/",
            "http://%31%32%37.0.0.1/",
            "http://127。0。0。1/",
            "http://１２７.０.０.１/",
            "http://①②⑦.0.0.1/",
            "http://0/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[fe80::1]/",
            "https://[fd00:ec2::254]/latest",
            "https://169.254.169.254/latest/meta-data",
            "http://0xa9fea9fe/",
            "http://10.0.0.1/",
            "http://localhost/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://ｌｏｃａｌｈｏｓｔ/",
            "http://a.localhost:9/",
        ] {
            assert_eq!(check(text), Err(GuardError::Address), "{text}");
        }
    }

    #[test]
    fn other_faults_are_told_apart() {
        for (text, fault) in [
            ("", GuardError::NotAUrl),
            ("example.com/hook", GuardError::NotAUrl),
            ("/hook", GuardError::NotAUrl),
            ("http://", GuardError::NotAUrl),
            ("http://[fe80::1%25eth0]/", GuardError::NotAUrl),
            ("http://256.1.1.1/", GuardError::NotAUrl),
            ("http://exa mple.com/", GuardError::NotAUrl),
            ("ftp://example.com/", GuardError::Scheme),
            ("file:///etc/passwd", GuardError::Scheme),
            ("gopher://127.0.0.1/", GuardError::Scheme),
            ("https://user@example.com/", GuardError::Credentials),
            ("https://user:pass@example.com/", GuardError::Credentials),
            ("https://:pass@example.com/", GuardError::Credentials),
            ("https://example.com@127.0.0.1/", GuardError::Credentials),
        ] {
            assert_eq!(check(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn public_urls_pass_in_their_normal_form() {
        for (text, form) in [
            (
                "https://example.com/hook?x=1",
                "https://example.com/hook?x=1",
            ),
            ("HTTP://EXAMPLE.com", "http://example.com/"),
            (
                " https://bücher.example/ ",
                "https://xn--bcher-kva.example/",
            ),
            ("https://8.8.8.8:8443/a", "https://8.8.8.8:8443/a"),
            (
                "https://[2606:4700:4700::1111]/",
                "https://[2606:4700:4700::1111]/",
            ),
            ("http://notlocalhost/", "http://notlocalhost/"),
        ] {
            assert_eq!(check(text).unwrap().as_str(), form);
        }
    }

    #[test]
    fn the_list_opens_literals_and_localhost() {
        let guard = AddressGuard::new(AllowList::loopback());
        assert!(guard.check_url("http://127.0.0.1:8080/").is_ok());
        assert!(guard.check_url("http://localhost:8080/").is_ok());
        assert!(guard.check_url("http://[::1]:8080/").is_ok());
        assert_eq!(
            guard.check_url("http://10.0.0.1/"),
            Err(GuardError::Address)
        );
    }

    struct Fixed(Vec<IpAddr>);

    impl HostResolver for Fixed {
        fn addresses(&self, _host: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
            let found = self.0.clone();
            async move { Ok(found) }.boxed()
        }
    }

    async fn dial(addresses: &[&str]) -> Result<Vec<String>, Option<GuardError>> {
        let fixed = Fixed(addresses.iter().map(|text| text.parse().unwrap()).collect());
        let guard = AddressGuard::with_resolver(AllowList::none(), Arc::new(fixed));
        match guard.resolve("hook.example".parse().unwrap()).await {
            Ok(found) => Ok(found.map(|address| address.ip().to_string()).collect()),
            Err(error) => Err(error.downcast_ref::<GuardError>().copied()),
        }
    }

    #[tokio::test]
    async fn closed_addresses_are_dropped_at_dial_time() {
        let mixed = dial(&["127.0.0.1", "8.8.8.8", "::1", "::ffff:10.0.0.1"]).await;
        assert_eq!(mixed, Ok(vec!["8.8.8.8".to_owned()]));
    }

    #[tokio::test]
    async fn a_name_with_closed_addresses_only_is_refused() {
        for addresses in [["127.0.0.1", "::1"], ["169.254.169.254", "10.0.0.1"]] {
            assert_eq!(dial(&addresses).await, Err(Some(GuardError::Address)));
        }
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_not_the_guards_fault() {
        assert_eq!(dial(&[]).await, Err(None));
    }

    proptest! {
        #[test]
        fn no_spelling_leads_inside(
            text in "\\PC{0,40}",
            scheme in "https?:/{0,3}|HTTP:\\\\\\\\|ftp://|",
            credentials in "([a-z]{0,2}(:[a-z]?)?@)?",
            host in "(0x)?[0-9a-f]{1,3}(\\.(0x)?[0-9]{1,3}){0,3}|[0-9]{1,11}|\\[[0-9a-f:.]{2,20}\\]|[a-z.%0-9]{0,12}(localhost)?\\.?",
            rest in "(:[0-9]{0,5})?([/?#][ -~]{0,5})?",
        ) {
            crate::fuzzing::url(&text);
            crate::fuzzing::url(&format!("{scheme}{credentials}{host}{rest}"));
        }

        #[test]
        fn a_range_holds_its_own_address(
            text in "\\PC{0,20}",
            address in any::<IpAddr>(),
            bits in "(/[0-9]{1,3})?",
        ) {
            crate::fuzzing::range(&text);
            crate::fuzzing::range(&format!(" {address}{bits}"));
        }
    }
}
