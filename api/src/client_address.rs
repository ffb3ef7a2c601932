//! Whose request this is, and how the client reached us, when proxies of the operator's stand in between (H9).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use poem::Request;
use poem::http::HeaderMap;
use poem::http::header::FORWARDED;

const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
/// Most hops that are looked at.
const MAX_HOPS: usize = 32;

/// Proxies that say truly for whom they ask.
#[derive(Debug, Clone)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl Default for TrustedProxies {
    /// None.
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl From<Vec<IpNet>> for TrustedProxies {
    fn from(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }
}

impl TrustedProxies {
    /// Whether this address is one of theirs.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Where a request comes from; noted by the edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    address: IpAddr,
    is_https: bool,
}

/// The client's address: the peer's, unless that is a trusted proxy; then the nearest hop that none of them is.
pub(crate) fn of(request: &Request) -> IpAddr {
    request.data::<Origin>().map_or_else(|| peer(request), |origin| origin.address)
}

/// What one client can be expected to hold: an IPv4 address, or a /64 of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// Whether the client speaks TLS, as far as a trusted proxy says so: this server itself has none.
pub(crate) fn is_https(request: &Request) -> bool {
    request.data::<Origin>().is_some_and(|origin| origin.is_https)
}

/// Works out where a request comes from, once, for [`of`] and [`is_https`].
pub(crate) fn note(request: &mut Request, proxies: &TrustedProxies) {
    let origin = origin(peer(request), request.headers(), proxies);
    request.set_data(origin);
}

fn peer(request: &Request) -> IpAddr {
    let peer = request.remote_addr().as_socket_addr().map(SocketAddr::ip);
    // Requests that came over no socket are those of tests.
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.to_canonical())
}

fn origin(peer: IpAddr, headers: &HeaderMap, proxies: &TrustedProxies) -> Origin {
    if !proxies.contains(peer) {
        return Origin { address: peer, is_https: false };
    }
    let told = (told_by_x(headers), told_by_forwarded(headers));
    match told {
        (Told { hops: Some(hops), is_https }, Told { hops: None, .. })
        | (Told { hops: None, .. }, Told { hops: Some(hops), is_https }) => {
            Origin { address: nearest(peer, &hops, proxies), is_https }
        }
        (Told { hops: Some(one), is_https }, Told { hops: Some(other), is_https: too }) => {
            // A proxy writes one of the two and may pass on the other as the client wrote it.
            let addresses = (nearest(peer, &one, proxies), nearest(peer, &other, proxies));
            let address = if addresses.0 == addresses.1 { addresses.0 } else { peer };
            Origin { address, is_https: is_https && too }
        }
        (Told { hops: None, is_https }, Told { hops: None, .. }) => Origin { address: peer, is_https },
    }
}

/// What proxies say in one of the two ways.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    /// Addresses of hops, the nearest first; `None` for one that cannot be read. `None` as a whole when nothing is said.
    hops: Option<Vec<Option<IpAddr>>>,
    is_https: bool,
}

/// The hop behind the trusted ones. What cannot be read is not believed, nor is what stands behind it.
fn nearest(peer: IpAddr, hops: &[Option<IpAddr>], proxies: &TrustedProxies) -> IpAddr {
    let mut nearest = peer;
    for hop in hops {
        let Some(hop) = hop else { return nearest };
        nearest = *hop;
        if !proxies.contains(nearest) {
            return nearest;
        }
    }
    nearest
}

fn told_by_x(headers: &HeaderMap) -> Told {
    let hops = headers.contains_key(X_FORWARDED_FOR).then(|| {
        let mut hops: Vec<Option<IpAddr>> = Vec::new();
        for line in headers.get_all(X_FORWARDED_FOR) {
            match line.to_str() {
                Ok(line) => hops.extend(line.split(',').map(|hop| address(hop.trim()))),
                Err(_) => hops.push(None),
            }
        }
        hops.into_iter().rev().take(MAX_HOPS).collect()
    });
    let mut schemes = headers.get_all(X_FORWARDED_PROTO).into_iter().peekable();
    let is_https = schemes.peek().is_some()
        && schemes.all(|line| {
            line.to_str().is_ok_and(|line| line.split(',').all(|scheme| scheme.trim().eq_ignore_ascii_case("https")))
        });
    Told { hops, is_https }
}

/// RFC 7239. An element that names no address (`unknown`, or a pseudonym) counts as one that cannot be read.
fn told_by_forwarded(headers: &HeaderMap) -> Told {
    if !headers.contains_key(FORWARDED) {
        return Told::default();
    }
    let mut hops = Vec::new();
    let mut is_https = true;
    for line in headers.get_all(FORWARDED) {
        let Some(elements) = line.to_str().ok().and_then(elements) else {
            hops.push(None);
            is_https = false;
            continue;
        };
        for element in elements {
            let value = |wanted: &str| element.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            hops.push(value("for").and_then(address));
            is_https &= value("proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        }
    }
    Told { hops: Some(hops.into_iter().rev().take(MAX_HOPS).collect()), is_https }
}

/// The elements of a `Forwarded` header, each as its pairs; `None` when it is malformed.
fn elements(line: &str) -> Option<Vec<Vec<(String, String)>>> {
    let mut elements = vec![Vec::new()];
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (name, behind) = rest.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let (value, behind) = match behind.strip_prefix('"') {
            // Addresses and schemes need no escapes.
            Some(quoted) => quoted.split_once('"').filter(|(value, _)| !value.contains('\\'))?,
            None => behind.split_at(behind.find([',', ';']).unwrap_or(behind.len())),
        };
        let pairs = elements.last_mut()?;
        if name.is_empty() || pairs.iter().any(|(known, _)| *known == name) {
            return None;
        }
        pairs.push((name, value.trim().to_owned()));
        let behind = behind.trim_start();
        rest = match behind.chars().next() {
            None => "",
            Some(';') => behind[1..].trim_start(),
            Some(',') => {
                elements.push(Vec::new());
                behind[1..].trim_start()
            }
            Some(_) => return None,
        };
    }
    Some(elements)
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bracketed.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|addr| addr.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const PROXY: &str = "10.0.0.1";

    fn seen(peer: &str, sent: &[(&'static str, &str)]) -> (String, bool) {
        let proxies = TrustedProxies::from(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(*name, value.parse().unwrap());
        }
        let origin = origin(peer.parse().unwrap(), &headers, &proxies);
        (origin.address.to_string(), origin.is_https)
    }

    fn address_of(sent: &[(&'static str, &str)]) -> String {
        seen(PROXY, sent).0
    }

    #[test]
    fn h9_strangers_are_who_they_are_whatever_they_say() {
        let said =
            [(X_FORWARDED_FOR, "1.1.1.1"), ("forwarded", "for=1.1.1.1;proto=https"), (X_FORWARDED_PROTO, "https")];
        assert_eq!(seen("203.0.113.9", &said), ("203.0.113.9".to_owned(), false));
        assert_eq!(seen(PROXY, &[]), (PROXY.to_owned(), false));
    }

    #[test]
    fn h9_the_nearest_hop_that_is_not_trusted_is_the_client() {
        for (line, client) in [
            ("203.0.113.9", "203.0.113.9"),
            ("1.1.1.1, 203.0.113.9", "203.0.113.9"),
            ("1.1.1.1,203.0.113.9, 10.2.2.2", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("2001:db8::1, fd00::7", "2001:db8::1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("10.3.3.3, 10.2.2.2", "10.3.3.3"),
        ] {
            assert_eq!(address_of(&[(X_FORWARDED_FOR, line)]), client, "{line}");
        }
        assert_eq!(address_of(&[(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_FOR, "203.0.113.9")]), "203.0.113.9");
        assert_eq!(address_of(&[("forwarded", "for=1.1.1.1, for=\"[2001:db8::1]:80\";proto=https")]), "2001:db8::1");
        assert_eq!(address_of(&[("forwarded", "For=203.0.113.9;by=10.0.0.1, for=10.2.2.2")]), "203.0.113.9");
    }

    #[test]
    fn h9_what_is_malformed_is_not_believed() {
        for line in ["nonsense", "203.0.113.9, nonsense", "", "203.0.113.9,", "unknown", "203.0.113.999"] {
            assert_eq!(address_of(&[(X_FORWARDED_FOR, line)]), PROXY, "{line}");
        }
        assert_eq!(address_of(&[(X_FORWARDED_FOR, "1.1.1.1, nonsense, 10.2.2.2")]), "10.2.2.2");
        for line in
            ["for=_hidden", "for=unknown", "for", "for=\"1.1.1.1", "for=1.1.1.1;for=2.2.2.2", "for=\"1.1.1.1\"x"]
        {
            assert_eq!(address_of(&[("forwarded", line)]), PROXY, "{line}");
        }
        let two = [(X_FORWARDED_FOR, "203.0.113.9"), ("forwarded", "for=1.1.1.1")];
        assert_eq!(address_of(&two), PROXY, "one of them was written by the client");
        let alike = [(X_FORWARDED_FOR, "203.0.113.9"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(address_of(&alike), "203.0.113.9");
    }

    #[test]
    fn h9_a_trusted_proxy_says_whether_the_client_speaks_tls() {
        let is_https = |sent: &[(&'static str, &str)]| seen(PROXY, sent).1;
        assert!(is_https(&[(X_FORWARDED_PROTO, "https")]));
        assert!(is_https(&[(X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_PROTO, "HTTPS, https")]));
        assert!(is_https(&[("forwarded", "for=1.1.1.1;proto=https")]));
        assert!(!is_https(&[(X_FORWARDED_PROTO, "https, http")]));
        assert!(!is_https(&[("forwarded", "for=1.1.1.1;proto=https, for=1.1.1.2")]));
        assert!(!is_https(&[("forwarded", "for=1.1.1.1"), (X_FORWARDED_FOR, "1.1.1.1"), (X_FORWARDED_PROTO, "https")]));
        assert!(!is_https(&[]));
    }

    #[test]
    fn h9_the_edge_notes_it_once_for_all() {
        let mut request = Request::builder().header(X_FORWARDED_FOR, "1.1.1.1").finish();
        assert!(of(&request).is_unspecified() && !is_https(&request));
        note(&mut request, &TrustedProxies::from(vec!["0.0.0.0/32".parse().unwrap()]));
        assert_eq!(of(&request).to_string(), "1.1.1.1");
    }
}
