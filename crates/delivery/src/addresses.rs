//! Which addresses on the network a user may name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

/// Ranges that are not somebody's public server, from the IANA IPv4 special-purpose
/// registry, and the addresses of clouds' metadata services outside of those.
const CLOSED_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),        // "this network"
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // carrier-grade NAT; also one cloud's metadata
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // Azure's platform services
    v4(169, 254, 0, 0, 16),   // link-local; also most clouds' metadata
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments; also Oracle's metadata
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, and broadcast
];

/// The only range of global unicast addresses (RFC 4291, section 2.4, and the IANA registry).
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Ranges inside of it that are not somebody's public server.
const CLOSED_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23),     // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x3fff, 0, 0, 20),     // documentation
];

/// IPv4 by a translator: RFC 6052, section 2.1.
const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// IPv4 by a relay: RFC 3056, section 2.
const SIX_TO_FOUR: Ipv6Net = v6(0x2002, 0, 0, 16);

/// Ranges of addresses that the operator opens although they are not public.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList(Vec<IpNet>);

/// A text is not a range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a range of addresses such as 10.1.0.0/16 or fd00::/8")]
pub struct ParseRangeError(String);

impl AllowList {
    /// Opens nothing: public addresses only.
    #[must_use]
    pub const fn none() -> Self {
        Self(Vec::new())
    }

    /// Opens this machine's own addresses.
    #[must_use]
    pub fn loopback() -> Self {
        Self(vec![
            IpNet::V4(v4(127, 0, 0, 0, 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ])
    }

    /// Reads ranges such as `10.1.0.0/16`; a bare address stands for itself.
    pub fn parse<S: AsRef<str>>(ranges: &[S]) -> Result<Self, ParseRangeError> {
        let read = |text: &S| {
            let text = text.as_ref().trim();
            parse_range(text).ok_or_else(|| ParseRangeError(text.to_owned()))
        };
        ranges.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a request may go to an address.
    #[must_use]
    pub fn permits(&self, address: IpAddr) -> bool {
        // A mapped address is dialled as the IPv4 address that it holds.
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address)) || self.is_public(address)
    }

    fn is_public(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => !CLOSED_V4.iter().any(|range| range.contains(&address)),
            IpAddr::V6(address) => {
                if let Some(inner) = embedded_v4(address) {
                    return self.permits(IpAddr::V4(inner));
                }
                GLOBAL_V6.contains(&address)
                    && !CLOSED_V6.iter().any(|range| range.contains(&address))
            }
        }
    }
}

/// Reads a range. The address is read as the standard library does: `010.0.0.0`, which some take
/// for octal, is none.
fn parse_range(text: &str) -> Option<IpNet> {
    let Some((address, bits)) = text.split_once('/') else {
        return text
            .parse()
            .map(|address: IpAddr| canonical(address.into()))
            .ok();
    };
    let range = IpNet::new(address.parse().ok()?, bits.parse().ok()?);
    range.map(canonical).ok()
}

/// A range of mapped addresses (`::ffff:10.1.0.0/112`) as the IPv4 range that it stands for,
/// because addresses are judged in that form.
fn canonical(range: IpNet) -> IpNet {
    let IpNet::V6(mapped) = range else {
        return range;
    };
    let plain = mapped
        .addr()
        .to_ipv4_mapped()
        .zip(mapped.prefix_len().checked_sub(96))
        .and_then(|(address, bits)| Ipv4Net::new(address, bits).ok());
    plain.map_or(range, IpNet::V4)
}

/// The IPv4 address at which a packet to this IPv6 address comes out.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = address.segments();
    let join = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    if NAT64.contains(&address) {
        Some(join(s[6], s[7]))
    } else if SIX_TO_FOUR.contains(&address) {
        Some(join(s[1], s[2]))
    } else if matches!((s[4], s[5]), (0 | 0x200, 0x5efe)) {
        // ISATAP: RFC 5214, section 6.1.
        Some(join(s[6], s[7]))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn closed_addresses_are_refused() {
        for text in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.0.2.7",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.250",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2a00:1450::5efe:10.0.0.1",
            "2a00:1450::200:5efe:127.0.0.1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(!AllowList::none().permits(address), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_permitted() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.255.255",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2606:4700:4700::1111",
            "2a00:1450:4001:80b::200e",
        ] {
            let address: IpAddr = text.parse().unwrap();
            assert!(AllowList::none().permits(address), "{text}");
        }
    }

    #[test]
    fn the_operator_opens_ranges_and_nothing_beside_them() {
        let allow = AllowList::parse(&["10.1.0.0/16", "fd00:1::/32", "192.168.0.9"]).unwrap();
        let permits = |text: &str| allow.permits(text.parse().unwrap());
        assert!(permits("10.1.2.3"));
        assert!(permits("::ffff:10.1.2.3"));
        assert!(permits("64:ff9b::10.1.2.3"));
        assert!(permits("fd00:1::5"));
        assert!(permits("192.168.0.9"));
        assert!(!permits("10.2.0.1"));
        assert!(!permits("192.168.0.10"));
        assert!(!permits("fd00:2::5"));
        let mapped = AllowList::parse(&["::ffff:10.1.0.0/112"]).unwrap();
        assert_eq!(mapped, AllowList::parse(&["10.1.0.0/16"]).unwrap());
        assert!(AllowList::loopback().permits(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert!(!AllowList::loopback().permits("169.254.169.254".parse().unwrap()));
    }

    #[test]
    fn a_wrong_range_is_named() {
        for wrong in [
            "10.0.0.0/33",
            "010.0.0.0/8",
            "::ffff:010.0.0.0/104",
            "10/8",
            "",
        ] {
            let error = AllowList::parse(&["10.0.0.0/8", wrong]).unwrap_err();
            assert!(error.to_string().contains(&format!("`{wrong}`")));
        }
    }

    proptest! {
        #[test]
        fn every_spelling_of_an_ipv4_address_is_judged_alike(bits in any::<u32>()) {
            let plain = Ipv4Addr::from_bits(bits);
            let [a, b] = [bits >> 16, bits & 0xffff].map(|half| u16::try_from(half).unwrap());
            let expected = AllowList::none().permits(IpAddr::V4(plain));
            for spelling in [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(AllowList::none().permits(IpAddr::V6(spelling)), expected);
            }
        }
    }
}
