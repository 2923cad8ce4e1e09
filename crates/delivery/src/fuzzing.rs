//! What must hold of addresses that users give and of what receivers answer, for property
//! tests and fuzz targets alike.
//!
//! Each function takes an input, reads it, and panics when a property does not hold.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Host;
use wagate_model::RetryPolicy;

use crate::addresses::AllowList;
use crate::guard::AddressGuard;
use crate::retry::{MAX_WAIT_MS, Reply, Verdict, judge, parse_retry_after};

/// A URL that is taken leads to the web and to no address that the standard library knows as
/// private, and is judged alike in the form in which it is kept.
pub fn url(text: &str) {
    let guard = AddressGuard::new(AllowList::none());
    let open = AddressGuard::new(every_address());
    let Ok(url) = guard.check_url(text) else {
        return;
    };
    assert!(matches!(url.scheme(), "http" | "https"));
    assert!(url.username().is_empty() && url.password().is_none());
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address),
        Some(Host::Ipv6(address)) => is_public_v6(address),
        Some(Host::Domain(name)) => {
            assert!(name.parse::<IpAddr>().is_err());
            let last = name.trim_end_matches('.').rsplit('.').next();
            assert_ne!(last, Some("localhost"));
        }
        None => panic!("a URL without a host"),
    }
    assert_eq!(guard.check_url(url.as_str()).as_ref(), Ok(&url));
    assert_eq!(open.check_url(text).as_ref(), Ok(&url));
}

fn every_address() -> AllowList {
    AllowList::parse(&["0.0.0.0/0", "::/0"]).expect("these are ranges")
}

fn is_public(address: Ipv4Addr) {
    let is_closed = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_unspecified();
    assert!(!is_closed, "{address}");
}

fn is_public_v6(address: Ipv6Addr) {
    if let IpAddr::V4(inner) = address.to_canonical() {
        return is_public(inner);
    }
    let is_closed = address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local();
    assert!(!is_closed, "{address}");
}

/// A range that is opened holds the address that it is written with.
pub fn range(text: &str) {
    let Ok(allow) = AllowList::parse(&[text]) else {
        return;
    };
    let (base, bits) = text.trim().split_once('/').unwrap_or((text.trim(), "128"));
    let address: IpAddr = base.parse().expect("a range begins with an address");
    let bits: u8 = bits.parse().expect("a range ends with a number");
    // An IPv6 range that is wider than the mapped addresses opens no IPv4 address.
    let is_within_its_family = address == address.to_canonical() || bits >= 96;
    assert!(allow.permits(address) || !is_within_its_family, "{text}");
}

/// A wait that a receiver asks for is never negative, and what comes of it is bounded.
pub fn retry_after(value: &str, now_ms: i64) {
    let retry_after_ms = parse_retry_after(value, now_ms);
    assert_eq!(
        parse_retry_after(&format!(" {value}\t"), now_ms),
        retry_after_ms
    );
    if let Some(wait_ms) = retry_after_ms {
        assert!(wait_ms >= 0);
        let later_ms = now_ms.saturating_add(1_000);
        let later = parse_retry_after(value, later_ms).expect("it was one before");
        assert!(later <= wait_ms);
    }
    let reply = Reply {
        status: Some(503),
        retry_after_ms,
    };
    for chance in [0.0, 0.999] {
        match judge(&RetryPolicy::default(), 1, reply, chance) {
            Verdict::Retry { wait_ms } => assert!((1..=MAX_WAIT_MS).contains(&wait_ms)),
            verdict => panic!("{verdict:?}"),
        }
    }
}
