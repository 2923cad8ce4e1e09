//! Where a request comes from: its address, its browser, and which site's page sent it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, Method, header};
use ipnet::IpNet;
use url::Url;
use wagate_core::{Client, Error};

use crate::failure::{Answer, Failure};
use crate::state::{ApiConfig, ApiState};

/// The other end of a connection, as the server saw it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Somebody who need not be signed in, and whose request no other site's page has sent.
#[derive(Debug)]
pub(crate) struct Visitor(pub(crate) Client);

impl FromRequestParts<ApiState> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Answer<Self> {
        check_origin(parts, state.config())?;
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok());
        Ok(Self(Client {
            address: address(parts, &state.config().trusted_proxies),
            user_agent: agent.map(str::to_owned),
        }))
    }
}

/// The address of the client: the connection's, or what trusted proxies say of it.
///
/// Each proxy adds the address that it saw to the end of `X-Forwarded-For`, so what stands before
/// the last one that is not a trusted proxy's may be made up.
pub(crate) fn address(parts: &Parts, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = parts.extensions.get::<Peer>()?.0.ip().to_canonical();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|range| range.contains(address));
    if !is_trusted(&peer) {
        return Some(peer);
    }
    let values = parts.headers.get_all("x-forwarded-for").iter();
    let told: Vec<_> = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    let mut last = peer;
    for text in told.iter().rev() {
        let Ok(address) = text.trim().parse::<IpAddr>() else {
            break;
        };
        last = address.to_canonical();
        if !is_trusted(&last) {
            break;
        }
    }
    Some(last)
}

/// Refuses what a page of another site has sent: a browser adds its cookies to that too.
///
/// Browsers say where a request comes from (`Sec-Fetch-Site`, else `Origin`); what says
/// nothing comes from no page.
pub(crate) fn check_origin(parts: &Parts, config: &ApiConfig) -> Result<(), Error> {
    if matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS)
        || is_own_page(
            &parts.headers,
            parts.uri.authority().map(http::uri::Authority::as_str),
            config,
        )
    {
        Ok(())
    } else {
        Err(Error::Forbidden)
    }
}

fn is_own_page(headers: &HeaderMap, authority: Option<&str>, config: &ApiConfig) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(header::ORIGIN) else {
        return true;
    };
    let Some(origin) = origin.to_str().ok().and_then(|text| Url::parse(text).ok()) else {
        return false;
    };
    if let Some(public) = &config.public_url
        && origin.origin() == public.origin()
    {
        return true;
    }
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.or(authority).unwrap_or_default();
    let base = Url::parse(&format!("{}://{host}", origin.scheme()));
    base.is_ok_and(|base| base.origin() == origin.origin())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/api/auth/login");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    fn passes(headers: &[(&str, &str)]) -> bool {
        check_origin(&parts("POST", headers), &ApiConfig::default()).is_ok()
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        let host = ("host", "a.example:8080");
        assert!(passes(&[host]));
        assert!(passes(&[host, ("sec-fetch-site", "same-origin")]));
        assert!(passes(&[host, ("sec-fetch-site", "none")]));
        assert!(passes(&[host, ("origin", "http://a.example:8080")]));
        for headers in [
            [host, ("sec-fetch-site", "cross-site")],
            [host, ("sec-fetch-site", "same-site")],
            [host, ("origin", "http://b.example:8080")],
            [host, ("origin", "http://a.example")],
            [host, ("origin", "null")],
            [host, ("origin", "")],
        ] {
            assert!(!passes(&headers), "{headers:?}");
            // Reading is free: other sites cannot see the answer.
            assert!(check_origin(&parts("GET", &headers), &ApiConfig::default()).is_ok());
        }
    }

    #[test]
    fn behind_a_proxy_the_public_address_counts() {
        let config = ApiConfig {
            public_url: Some("https://a.example".parse().unwrap()),
            ..ApiConfig::default()
        };
        let request = parts(
            "POST",
            &[("host", "inner:1"), ("origin", "https://a.example")],
        );
        assert!(check_origin(&request, &config).is_ok());
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let seen = |peer: &str, forwarded: &str, trusted: &[&str]| {
            let mut parts = parts("GET", &[("x-forwarded-for", forwarded)]);
            parts.extensions.insert(Peer(peer.parse().unwrap()));
            let trusted: Vec<IpNet> = trusted.iter().map(|range| range.parse().unwrap()).collect();
            address(&parts, &trusted).unwrap().to_string()
        };
        let proxies = ["10.0.0.0/8"];
        assert_eq!(seen("192.0.2.1:5", "198.51.100.7", &[]), "192.0.2.1");
        assert_eq!(seen("192.0.2.1:5", "198.51.100.7", &proxies), "192.0.2.1");
        assert_eq!(seen("10.0.0.1:5", "198.51.100.7", &proxies), "198.51.100.7");
        assert_eq!(
            seen("10.0.0.1:5", "1.1.1.1, 198.51.100.7, 10.0.0.2", &proxies),
            "198.51.100.7"
        );
        assert_eq!(seen("10.0.0.1:5", "nonsense", &proxies), "10.0.0.1");
        assert_eq!(seen("[::ffff:10.0.0.1]:5", "::1", &proxies), "::1");
    }
}
