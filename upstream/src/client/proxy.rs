//! The proxy setting, read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::endpoints::is_loopback;

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// HTTP, over TLS when its address says so.
    Http,
    /// SOCKS5. Names are always resolved by the proxy, where the traffic leaves.
    Socks5,
}

/// A proxy, and who we are to it. Has no `Debug`: its address is the operator's secret.
#[derive(Clone)]
pub(super) struct Proxy {
    pub(super) protocol: Protocol,
    /// Where it listens; the scheme says whether with TLS.
    pub(super) address: Uri,
    pub(super) login: Option<(String, String)>,
}

impl Proxy {
    /// Reads a proxy setting; `None` when it cannot be used.
    pub(super) fn read(proxy_url: &SecretString) -> Option<Self> {
        let url = Url::parse(proxy_url.expose_secret()).ok()?;
        let host = url.host_str().filter(|host| !host.is_empty())?;
        let (protocol, scheme, port) = match url.scheme() {
            "http" => (Protocol::Http, "http", 80),
            "https" => (Protocol::Http, "https", 443),
            "socks5" | "socks5h" => (Protocol::Socks5, "http", 1080),
            _ => return None,
        };
        let address = format!("{scheme}://{host}:{}", url.port().unwrap_or(port)).parse().ok()?;
        let has_login = !url.username().is_empty() || url.password().is_some();
        let login = if has_login {
            Some((decoded(url.username())?, decoded(url.password().unwrap_or_default())?))
        } else {
            None
        };
        Some(Self { protocol, address, login })
    }

    /// The value of the header `Proxy-Authorization`.
    pub(super) fn authorization(&self) -> Option<HeaderValue> {
        let (user, password) = self.login.as_ref()?;
        let mut value =
            HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// Whether the proxy runs on this machine.
pub(super) fn is_local_proxy(proxy_url: &SecretString) -> bool {
    Url::parse(proxy_url.expose_secret()).is_ok_and(|url| is_loopback(&url))
}

fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn addresses_have_a_port_and_logins_are_decoded() {
        let read = |setting: &str| Proxy::read(&setting.into()).unwrap();
        for (setting, protocol, address) in [
            ("http://proxy.example", Protocol::Http, "http://proxy.example:80/"),
            ("https://proxy.example", Protocol::Http, "https://proxy.example:443/"),
            ("https://proxy.example:8443/x", Protocol::Http, "https://proxy.example:8443/"),
            ("socks5://proxy.example", Protocol::Socks5, "http://proxy.example:1080/"),
            ("socks5h://[::1]:9", Protocol::Socks5, "http://[::1]:9/"),
        ] {
            let proxy = read(setting);
            assert_eq!((proxy.protocol, proxy.address.to_string()), (protocol, address.to_owned()), "{setting}");
            assert!(proxy.login.is_none());
        }
        let login = read("socks5://us%40er:p%3Ass@127.0.0.1:1").login;
        assert_eq!(login, Some(("us@er".to_owned(), "p:ss".to_owned())));
        assert_eq!(read("http://u:p@h").authorization().unwrap(), "Basic dTpw");
        assert_eq!(read("http://u@h").authorization().unwrap(), "Basic dTo=");
        assert!(read("http://u:p@h").authorization().unwrap().is_sensitive());
        assert!(read("http://h").authorization().is_none());
    }

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        for setting in
            ["socks5://127.0.0.1:1", "http://[::1]:1", "socks5h://[::1]:1", "socks5://localhost", "http://127.0.0.2"]
        {
            assert!(is_local_proxy(&setting.into()), "{setting}");
        }
        for setting in ["socks5://10.0.0.1:1", "http://proxy.example", "", "http://localhost.example"] {
            assert!(!is_local_proxy(&setting.into()), "{setting}");
        }
    }
}
