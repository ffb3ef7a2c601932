//! Which IP addresses a client's picture may be fetched from: public unicast ones, and nothing else (M3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// Why an address is refused. The names are a closed set, fit for a metric label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AddressClass {
    /// This host.
    Loopback,
    /// No host, or "this network".
    Unspecified,
    /// The local link, where clouds keep their metadata services.
    LinkLocal,
    /// A private network or a carrier's shared one.
    Private,
    /// Many hosts at once.
    Multicast,
    /// Set aside for documentation, benchmarks, protocols or the future.
    Reserved,
    /// An IPv6 form that leads to an IPv4 address through a translator.
    Transitional,
}

impl AddressClass {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Unspecified => "unspecified",
            Self::LinkLocal => "link_local",
            Self::Private => "private",
            Self::Multicast => "multicast",
            Self::Reserved => "reserved",
            Self::Transitional => "transitional",
        }
    }
}

/// The IANA special-purpose registry (RFC 6890 and later) as far as it is not global unicast.
const REFUSED_V4: [(Ipv4Net, AddressClass); 15] = [
    (v4(0, 0, 0, 0, 8), AddressClass::Unspecified),
    (v4(10, 0, 0, 0, 8), AddressClass::Private),
    (v4(100, 64, 0, 0, 10), AddressClass::Private),
    (v4(127, 0, 0, 0, 8), AddressClass::Loopback),
    (v4(169, 254, 0, 0, 16), AddressClass::LinkLocal),
    (v4(172, 16, 0, 0, 12), AddressClass::Private),
    (v4(192, 0, 0, 0, 24), AddressClass::Reserved),
    (v4(192, 0, 2, 0, 24), AddressClass::Reserved),
    (v4(192, 88, 99, 0, 24), AddressClass::Reserved),
    (v4(192, 168, 0, 0, 16), AddressClass::Private),
    (v4(198, 18, 0, 0, 15), AddressClass::Reserved),
    (v4(198, 51, 100, 0, 24), AddressClass::Reserved),
    (v4(203, 0, 113, 0, 24), AddressClass::Reserved),
    (v4(224, 0, 0, 0, 4), AddressClass::Multicast),
    (v4(240, 0, 0, 0, 4), AddressClass::Reserved),
];

const REFUSED_V6: [(Ipv6Net, AddressClass); 15] = [
    (v6([0; 8], 128), AddressClass::Unspecified),
    (v6([0, 0, 0, 0, 0, 0, 0, 1], 128), AddressClass::Loopback),
    (v6([0, 0, 0, 0, 0, 0xffff, 0, 0], 96), AddressClass::Transitional),
    (v6([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96), AddressClass::Transitional),
    (v6([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48), AddressClass::Transitional),
    (v6([0x100, 0, 0, 0, 0, 0, 0, 0], 64), AddressClass::Reserved),
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), AddressClass::Reserved),
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), AddressClass::Reserved),
    (v6([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::Transitional),
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), AddressClass::Reserved),
    (v6([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16), AddressClass::Reserved),
    (v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), AddressClass::Private),
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::LinkLocal),
    (v6([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10), AddressClass::Private),
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), AddressClass::Multicast),
];

/// The only block from which global unicast addresses have ever been given out.
const GLOBAL_UNICAST_V6: Ipv6Net = v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

/// Why the address may not be connected to; `None` for a public one.
///
/// An IPv4 address inside an IPv6 one (mapped, compatible, NAT64, 6to4) is judged first, so that the reason names what
/// lies behind; the outer form is refused in any case.
pub(crate) fn refusal(address: IpAddr) -> Option<AddressClass> {
    match address {
        IpAddr::V4(address) => refusal_v4(address),
        IpAddr::V6(address) => embedded_v4(address).and_then(refusal_v4).or_else(|| refusal_v6(address)),
    }
}

fn refusal_v4(address: Ipv4Addr) -> Option<AddressClass> {
    REFUSED_V4.iter().find(|(net, _)| net.contains(&address)).map(|&(_, class)| class)
}

fn refusal_v6(address: Ipv6Addr) -> Option<AddressClass> {
    match REFUSED_V6.iter().find(|(net, _)| net.contains(&address)) {
        Some(&(_, class)) => Some(class),
        None => (!GLOBAL_UNICAST_V6.contains(&address)).then_some(AddressClass::Reserved),
    }
}

/// The IPv4 address that a translator or the system would make of this one.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, _] => return None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => (high, low),
        _ => return None,
    };
    Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(s: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]), prefix)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    /// First and last address of every refused block.
    const REFUSED: [&str; 66] = [
        "0.0.0.0",
        "0.255.255.255",
        "10.0.0.0",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.0",
        "169.254.169.254",
        "169.254.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.0",
        "192.0.2.255",
        "192.88.99.0",
        "192.88.99.255",
        "192.168.0.0",
        "192.168.255.255",
        "198.18.0.0",
        "198.19.255.255",
        "198.51.100.0",
        "198.51.100.255",
        "203.0.113.0",
        "203.0.113.255",
        "224.0.0.0",
        "239.255.255.255",
        "240.0.0.0",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::8.8.8.8",
        "64:ff9b::",
        "64:ff9b::10.0.0.1",
        "64:ff9b::8.8.8.8",
        "64:ff9b::ffff:ffff",
        "64:ff9b:1::",
        "64:ff9b:1:ffff:ffff:ffff:ffff:ffff",
        "100::",
        "100::ffff:ffff:ffff:ffff",
        "100:0:0:1::",
        "2001::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
        "2001:db8::",
        "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
        "2002:7f00:1::",
        "2002:808:808::1",
        "3fff::",
        "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
        "5f00::1",
        "fc00::",
        "fd12:3456::1",
        "fe80::",
        "fe80::1",
        "febf:ffff::1",
        "fec0::1",
        "ff00::",
        "ff02::1",
    ];

    /// The neighbours of the refused blocks and a few well-known hosts.
    const PUBLIC: [&str; 34] = [
        "1.0.0.0",
        "1.1.1.1",
        "8.8.8.8",
        "9.255.255.255",
        "11.0.0.0",
        "93.184.216.34",
        "100.63.255.255",
        "100.128.0.0",
        "126.255.255.255",
        "128.0.0.0",
        "169.253.255.255",
        "169.255.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "191.255.255.255",
        "192.0.1.0",
        "192.0.3.0",
        "192.88.98.255",
        "192.88.100.0",
        "192.167.255.255",
        "192.169.0.0",
        "198.17.255.255",
        "198.20.0.0",
        "198.51.99.255",
        "198.51.101.0",
        "203.0.112.255",
        "203.0.114.0",
        "223.255.255.255",
        "2001:200::1",
        "2001:4860:4860::8888",
        "2003::1",
        "2606:4700:4700::1111",
        "2a00:1450::1",
        "3ffe::1",
    ];

    #[test]
    fn m3_every_special_block_is_refused_up_to_its_borders() {
        for text in REFUSED {
            assert!(refusal(text.parse().unwrap()).is_some(), "{text} must be refused");
        }
        for text in PUBLIC {
            assert_eq!(refusal(text.parse().unwrap()), None, "{text} is public");
        }
    }

    #[test]
    fn m3_the_reason_names_what_lies_behind_a_transitional_form() {
        for (text, class) in [
            ("::ffff:127.0.0.1", AddressClass::Loopback),
            ("::ffff:a9fe:a9fe", AddressClass::LinkLocal),
            ("64:ff9b::a00:1", AddressClass::Private),
            ("2002:c0a8:1::", AddressClass::Private),
            ("64:ff9b::808:808", AddressClass::Transitional),
            ("2002:808:808::", AddressClass::Transitional),
            ("::1", AddressClass::Loopback),
        ] {
            assert_eq!(refusal(text.parse().unwrap()), Some(class), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn m3_no_v6_form_hides_a_refused_v4_address(bits: u32) {
            let inner = Ipv4Addr::from(bits);
            let [a, b] = [(bits >> 16) as u16, (bits & 0xffff) as u16];
            let forms = [
                inner.to_ipv6_mapped(),
                inner.to_ipv6_compatible(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, a, b),
                Ipv6Addr::new(0x2002, a, b, 0, 0, 0, 0, 1),
            ];
            for form in forms {
                proptest::prop_assert!(refusal(IpAddr::V6(form)).is_some(), "{form}");
            }
        }
    }
}
