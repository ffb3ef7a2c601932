//! Which addresses a client may make us fetch: https on public hosts, unless the operator allows more (M1–M4).

use std::net::IpAddr;

use grok2api_config::FetchConfig;
use url::{Host, Url};

use super::address::{AddressClass, refusal};

/// Longest address that is looked at, in bytes.
const MAX_URL_BYTES: usize = 8 * 1024;

/// Names that belong to this host or its network, whatever they resolve to. Asking for some of them already sends
/// packets there.
const LOCAL_SUFFIXES: [&str; 9] =
    ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home.arpa", "in-addr.arpa", "ip6.arpa"];

/// Why an address is not fetched. For logs and metrics; a client is not told (M8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// No absolute address, or longer than we look at.
    #[error("no usable address")]
    Malformed,
    /// Neither https nor, where allowed, http.
    #[error("scheme not allowed")]
    Scheme,
    /// A user name or password in the address.
    #[error("user information in the address")]
    UserInfo,
    /// A port that is not allowed.
    #[error("port not allowed")]
    Port,
    /// A name of this host or its network.
    #[error("name of a local host")]
    LocalName,
    /// A name without any address.
    #[error("name without an address")]
    NoAddress,
    /// An address that is not public.
    #[error("address not public: {}", .0.as_str())]
    Address(AddressClass),
}

impl Denied {
    /// Name for a metric label.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Scheme => "scheme",
            Self::UserInfo => "user_info",
            Self::Port => "port",
            Self::LocalName => "local_name",
            Self::NoAddress => "no_address",
            Self::Address(class) => class.as_str(),
        }
    }
}

/// The operator's rules for fetching.
#[derive(Debug, Clone)]
#[cfg_attr(not(test), expect(clippy::struct_field_names, reason = "the names of the operator's settings"))]
pub(crate) struct Guard {
    allow_http: bool,
    allow_ports: Vec<u16>,
    allow_private: bool,
    /// Addresses that count as public, so that a test can tell a permitted server from a forbidden one on one host.
    #[cfg(test)]
    pub(crate) treat_as_public: Vec<IpAddr>,
}

impl Guard {
    pub(crate) fn new(config: &FetchConfig) -> Self {
        Self {
            allow_http: config.allow_http,
            allow_ports: config.allow_ports.clone(),
            allow_private: config.allow_private,
            #[cfg(test)]
            treat_as_public: Vec::new(),
        }
    }

    /// Reads an address and checks all that can be known without asking the network.
    ///
    /// The parser turns octal, hexadecimal, decimal and full-width spellings of an IPv4 address into the address, so
    /// that the check sees what would be connected to.
    pub(crate) fn check_text(&self, text: &str) -> Result<Url, Denied> {
        if text.len() > MAX_URL_BYTES {
            return Err(Denied::Malformed);
        }
        let url = Url::parse(text).map_err(|_| Denied::Malformed)?;
        self.check_url(&url)?;
        Ok(url)
    }

    /// Checks an address before it is asked for; redirects pass through here as well (M5).
    pub(crate) fn check_url(&self, url: &Url) -> Result<(), Denied> {
        let usual_port = match url.scheme() {
            "https" => 443,
            "http" if self.allow_http => 80,
            _ => return Err(Denied::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Denied::UserInfo);
        }
        let port = url.port().unwrap_or(usual_port);
        if port != usual_port && !self.allow_ports.contains(&port) {
            return Err(Denied::Port);
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check_address(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => self.check_address(IpAddr::V6(address)),
            Some(Host::Domain(name)) => self.check_name(name),
            None => Err(Denied::Malformed),
        }
    }

    /// Checks what a name resolved to, at the moment of dialling (M4). One bad address condemns all of them (M2).
    pub(crate) fn check_addresses(&self, addresses: &[IpAddr]) -> Result<(), Denied> {
        if addresses.is_empty() {
            return Err(Denied::NoAddress);
        }
        addresses.iter().try_for_each(|&address| self.check_address(address))
    }

    fn check_address(&self, address: IpAddr) -> Result<(), Denied> {
        #[cfg(test)]
        if self.treat_as_public.contains(&address) {
            return Ok(());
        }
        match refusal(address) {
            Some(class) if !self.allow_private => Err(Denied::Address(class)),
            Some(_) | None => Ok(()),
        }
    }

    /// The parser has made the name ASCII and lower case by now.
    fn check_name(&self, name: &str) -> Result<(), Denied> {
        if self.allow_private {
            return Ok(());
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let local = LOCAL_SUFFIXES
            .iter()
            .any(|suffix| name.strip_suffix(suffix).is_some_and(|before| before.is_empty() || before.ends_with('.')));
        // A name without a dot is completed from the host's search list: never a public one.
        if local || !name.contains('.') { Err(Denied::LocalName) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
