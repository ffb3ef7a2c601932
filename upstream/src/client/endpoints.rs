//! The addresses that we call, put together once.

use http::{HeaderValue, Uri};
use url::{Host, Url};

/// Why the client cannot be built from its configuration. Names no secret.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The base address cannot be used.
    #[error("the upstream's base address {0}")]
    BaseUrl(&'static str),
    /// The address of the asset host cannot be used.
    #[error("the address of the upstream's asset host {0}")]
    AssetsUrl(&'static str),
    /// A header of ours with a value that cannot be sent, or one that must not be set from outside.
    #[error("the header {name:?} {reason}")]
    Header {
        /// The header's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The TLS or DNS machinery of the client that fetches pictures cannot be set up.
    #[error("the HTTP client cannot be set up; are the system's CA certificates installed?")]
    Client(#[source] reqwest::Error),
    /// TLS to the upstream cannot be set up, for example because the system has no CA certificates.
    #[error("TLS to the upstream cannot be set up; are the system's CA certificates installed?")]
    Tls(#[source] rustls::Error),
}

/// An address that only a browser would take.
const UNUSABLE: BuildError = BuildError::BaseUrl("cannot be written into a request");

/// The calls below the base address.
#[derive(Clone)]
pub(super) struct Endpoints {
    pub(super) chat: Uri,
    pub(super) upload: Uri,
    pub(super) rate_limits: Uri,
    /// Scheme, host and port to connect to.
    pub(super) connect_to: Uri,
    /// Value of the `Host` header.
    pub(super) host: HeaderValue,
    /// Value of the `Origin` header.
    pub(super) origin: HeaderValue,
    /// Plain http: the host is this machine.
    pub(super) plain: bool,
}

impl Endpoints {
    /// Joins the base with every path. A path prefix and trailing slashes of the base are respected.
    pub(super) fn new(base: &Url) -> Result<Self, BuildError> {
        let plain = is_plain(base).map_err(BuildError::BaseUrl)?;
        let (Some(host), Some(port)) = (base.host_str(), base.port_or_known_default()) else {
            return Err(BuildError::BaseUrl("has no host"));
        };
        let connect_to = format!("{}://{host}:{port}", base.scheme()).parse().map_err(|_| UNUSABLE)?;
        let host = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let origin = HeaderValue::try_from(base.origin().ascii_serialization())
            .map_err(|_| BuildError::BaseUrl("has no origin that a header can hold"))?;
        Ok(Self {
            chat: uri(base, "rest/app-chat/conversations/new")?,
            upload: uri(base, "rest/app-chat/upload-file")?,
            rate_limits: uri(base, "rest/rate-limits")?,
            connect_to,
            host: HeaderValue::try_from(host).map_err(|_| UNUSABLE)?,
            origin,
            plain,
        })
    }
}

/// Whether a credential would go to this address in clear text, which it may on this machine only (C7).
///
/// The error says what is wrong with an address to which none may go.
pub(super) fn is_plain(base: &Url) -> Result<bool, &'static str> {
    if !base.username().is_empty() || base.password().is_some() {
        return Err("must not hold a user name or password");
    }
    let plain = match base.scheme() {
        "https" => false,
        "http" if is_loopback(base) => true,
        "http" => return Err("must be https: a credential never travels in clear text"),
        _ => return Err("must be an https address"),
    };
    if base.host().is_none() { Err("has no host") } else { Ok(plain) }
}

/// Whether the address names this machine by itself, without asking anyone.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        // An address that is no http(s) one keeps its host as text: a proxy's, for example.
        Some(Host::Domain(name)) => {
            name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        None => false,
    }
}

fn uri(base: &Url, path: &str) -> Result<Uri, BuildError> {
    join(base, path).as_str().parse().map_err(|_| UNUSABLE)
}

pub(super) fn join(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    fn chat(base: &str) -> String {
        Endpoints::new(&Url::parse(base).unwrap()).unwrap().chat.to_string()
    }

    #[test]
    fn a_base_keeps_its_prefix_whatever_its_slashes() {
        const PATH: &str = "/rest/app-chat/conversations/new";
        assert_eq!(chat("https://grok.com"), format!("https://grok.com{PATH}"));
        assert_eq!(chat("https://grok.com/"), format!("https://grok.com{PATH}"));
        assert_eq!(chat("https://proxy.example/grok/"), format!("https://proxy.example/grok{PATH}"));
        assert_eq!(chat("https://proxy.example/a/b//?x=1#y"), format!("https://proxy.example/a/b{PATH}"));
        assert_eq!(chat("http://127.0.0.1:9000/x"), format!("http://127.0.0.1:9000/x{PATH}"));
    }

    #[test]
    fn c7_plain_http_goes_to_this_machine_only() {
        for base in ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "http://127.9.9.9"] {
            assert!(Endpoints::new(&Url::parse(base).unwrap()).unwrap().plain, "{base}");
        }
        for base in [
            "http://grok.com",
            "http://10.0.0.1",
            "http://localhost.example",
            "ftp://grok.com",
            "https://u:p@grok.com",
            "data:x",
        ] {
            assert!(Endpoints::new(&Url::parse(base).unwrap()).is_err(), "{base}");
        }
    }

    #[test]
    fn the_origin_has_no_path() {
        let endpoints = Endpoints::new(&Url::parse("https://proxy.example:8443/grok/").unwrap()).unwrap();
        assert_eq!(endpoints.origin, "https://proxy.example:8443");
    }

    #[test]
    fn hosts_are_named_as_in_the_address_and_connected_to_by_port() {
        for (base, host, connect_to) in [
            ("https://grok.com/x", "grok.com", "https://grok.com:443/"),
            ("https://proxy.example:8443", "proxy.example:8443", "https://proxy.example:8443/"),
            ("http://[::1]:80/", "[::1]", "http://[::1]:80/"),
        ] {
            let endpoints = Endpoints::new(&Url::parse(base).unwrap()).unwrap();
            assert_eq!(
                (endpoints.host.to_str().unwrap(), endpoints.connect_to.to_string().as_str()),
                (host, connect_to)
            );
        }
    }
}
