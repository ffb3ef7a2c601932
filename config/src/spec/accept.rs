//! The checks that values pass before they are taken, each giving the value's normal form.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use secrecy::SecretString;
use serde_json::Value;
use url::{Host, Url};

use super::Refusal;
pub(crate) use super::http_text::{
    admin_name, admin_password, admin_token, client_key, cookie_value, header_text, header_value, headers,
};

/// A text.
pub(crate) fn text(value: &Value) -> Result<&str, Refusal> {
    value.as_str().ok_or(Refusal::Expected("a text"))
}

/// `true` or `false`.
pub(crate) fn flag(value: &Value) -> Result<bool, Refusal> {
    value.as_bool().ok_or(Refusal::Expected("true or false"))
}

/// A whole number within the bounds.
pub(crate) fn whole<T: TryFrom<u64>>(value: &Value, min: u64, max: u64) -> Result<T, Refusal> {
    let refusal = Refusal::OutOfRange { min, max };
    let number = value.as_u64().filter(|number| (min..=max).contains(number)).ok_or(refusal)?;
    T::try_from(number).map_err(|_| refusal)
}

/// A secret, or `None` for an empty text.
pub(crate) fn secret(value: &Value) -> Result<Option<SecretString>, Refusal> {
    Ok(present(SecretString::from(text(value)?.trim())))
}

/// A list of secrets, without empty ones.
pub(crate) fn secrets(value: &Value) -> Result<Vec<SecretString>, Refusal> {
    let items = value.as_array().ok_or(Refusal::Expected("a list of texts"))?;
    let secrets: Result<Vec<Option<SecretString>>, Refusal> = items.iter().map(secret).collect();
    Ok(secrets?.into_iter().flatten().collect())
}

/// `None` for an empty secret.
pub(crate) fn present(secret: SecretString) -> Option<SecretString> {
    use secrecy::ExposeSecret;
    (!secret.expose_secret().is_empty()).then_some(secret)
}

/// A path that is not empty.
pub(crate) fn path(value: &Value) -> Result<PathBuf, Refusal> {
    let text = text(value)?;
    if text.trim().is_empty() || text.contains('\0') {
        return Err(Refusal::Expected("a path"));
    }
    Ok(PathBuf::from(text))
}

/// An address to listen on; `localhost` and a bare port are understood.
pub(crate) fn listen(value: &Value) -> Result<SocketAddr, Refusal> {
    let refusal = Refusal::Expected("an address and a port, as in 127.0.0.1:8000 or [::]:8000");
    let text = text(value).map_err(|_| refusal)?.trim();
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map_err(|_| refusal)
}

/// Port numbers, as numbers or as texts.
pub(crate) fn ports(value: &Value) -> Result<Vec<u16>, Refusal> {
    let refusal = Refusal::Expected("a list of ports (1 to 65535)");
    let items = value.as_array().ok_or(refusal)?;
    let mut ports = items
        .iter()
        .map(|item| match item.as_str() {
            Some(text) => text.parse().ok(),
            None => item.as_u64().and_then(|number| u16::try_from(number).ok()),
        })
        .map(|port| port.filter(|port| *port != 0).ok_or(refusal))
        .collect::<Result<Vec<u16>, Refusal>>()?;
    ports.sort_unstable();
    ports.dedup();
    Ok(ports)
}

/// Networks in CIDR notation; an address alone is a network of one. Not all addresses at once: that would be a mistake.
pub(crate) fn networks(value: &Value) -> Result<Vec<IpNet>, Refusal> {
    let refusal = Refusal::Expected("a list of addresses and networks, as in 10.0.0.0/8 or 2001:db8::1, but not /0");
    let network = |item: &Value| {
        let text = item.as_str()?.trim();
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
        (network.prefix_len() > 0).then(|| network.trunc())
    };
    value.as_array().ok_or(refusal)?.iter().map(|item| network(item).ok_or(refusal)).collect()
}

/// Our own public address: `http` or `https`, without trailing slash; empty for none.
pub(crate) fn base_url(value: &Value) -> Result<String, Refusal> {
    let refusal = Refusal::Expected("an http or https address without query, or empty");
    let text = text(value)?.trim();
    if text.is_empty() {
        return Ok(String::new());
    }
    let url = plain_url(text).ok_or(refusal)?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// An upstream's address: `https`, or plain `http` to this machine only (C7).
pub(crate) fn upstream_url(value: &Value) -> Result<Url, Refusal> {
    let refusal = Refusal::Expected("an https address without query (plain http only to this machine)");
    let mut url = plain_url(text(value)?.trim()).ok_or(refusal)?;
    if url.scheme() != "https" && !is_loopback(&url) {
        return Err(refusal);
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A proxy's address; empty for none. Kept as it was typed, without blanks around it.
pub(crate) fn proxy_url(value: &Value) -> Result<SecretString, Refusal> {
    let refusal = Refusal::Expected("an address that begins with http://, https://, socks5:// or socks5h://, or empty");
    let text = text(value)?.trim();
    if text.is_empty() {
        return Ok(SecretString::default());
    }
    let url = Url::parse(text).map_err(|_| refusal)?;
    let known = matches!(url.scheme(), "http" | "https" | "socks5" | "socks5h");
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let named = url.host_str().is_some_and(|host| !host.is_empty());
    if !known || !bare || !named { Err(refusal) } else { Ok(SecretString::from(text)) }
}

/// What names in a shared store begin with.
pub(crate) fn key_prefix(value: &Value) -> Result<String, Refusal> {
    let prefix = text(value)?.trim();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:".contains(&byte);
    let fits = (1..=64).contains(&prefix.len()) && prefix.bytes().all(plain);
    if fits { Ok(prefix.to_owned()) } else { Err(Refusal::Expected("1 to 64 letters, digits, and . _ - :")) }
}

/// The id of a model; whether the table has it is for those to see who look it up.
pub(crate) fn model_id(value: &Value) -> Result<String, Refusal> {
    let id = text(value)?.trim();
    let fits = (1..=128).contains(&id.len()) && id.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if fits { Ok(id.to_owned()) } else { Err(Refusal::Expected("the id of a model")) }
}

/// Names of elements separated by commas, without blanks and repetitions.
pub(crate) fn element_names(value: &Value) -> Result<String, Refusal> {
    let refusal = Refusal::Expected("names of elements separated by commas (letters, digits, and : . _ -)");
    let mut names: Vec<&str> = Vec::new();
    for name in text(value)?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name.len() > 100 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":._-".contains(&byte)) {
            return Err(refusal);
        }
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names.join(","))
}

/// An `http` or `https` address with nothing but host, port and path.
fn plain_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.host_str().is_some_and(|host| !host.is_empty());
    let anonymous = url.username().is_empty() && url.password().is_none();
    let bare = url.query().is_none() && url.fragment().is_none();
    (web && anonymous && bare).then_some(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

    #[test]
    fn our_own_address_loses_its_trailing_slash() {
        assert_eq!(base_url(&json!(" https://a.example/g/ ")).unwrap(), "https://a.example/g");
        assert_eq!(base_url(&json!("http://a.example:81")).unwrap(), "http://a.example:81");
        assert_eq!(base_url(&json!("")).unwrap(), "");
        for bad in ["a.example", "ftp://a.example", "https://u:p@a.example", "https://a.example/?q=1", "https://"] {
            assert!(base_url(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn c7_credentials_go_over_tls_except_to_this_machine() {
        assert_eq!(upstream_url(&json!("https://grok.com/")).unwrap().as_str(), "https://grok.com/");
        assert_eq!(upstream_url(&json!("https://a.example/x/")).unwrap().as_str(), "https://a.example/x");
        for local in ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000"] {
            assert!(upstream_url(&json!(local)).is_ok(), "{local}");
        }
        for bad in ["http://grok.com", "http://10.0.0.1", "http://localhost.evil.example", "https://u@grok.com"] {
            assert!(upstream_url(&json!(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies_are_of_four_kinds() {
        for good in ["http://p:3128", "https://u:p@p:1", "socks5://127.0.0.1:1080", "socks5h://p:1080/"] {
            assert_eq!(proxy_url(&json!(good)).unwrap().expose_secret(), good);
        }
        for bad in ["p:3128", "socks4://p:1", "http://p/path", "http://p?x=1", "127.0.0.1:1080"] {
            assert!(proxy_url(&json!(bad)).is_err(), "{bad}");
        }
        assert_eq!(proxy_url(&json!("  ")).unwrap().expose_secret(), "");
    }

    #[test]
    fn h9_proxies_are_networks_and_never_everybody() {
        let networks = |value| networks(&value).map(|found| found.iter().map(ToString::to_string).collect::<Vec<_>>());
        let good = json!(["10.1.2.3/8", " 192.0.2.1", "2001:db8::1", "fd00::/8"]);
        assert_eq!(networks(good).unwrap(), ["10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128", "fd00::/8"]);
        for bad in
            [json!("10.0.0.0/8"), json!(["0.0.0.0/0"]), json!(["::/0"]), json!(["proxy"]), json!(["10.0.0.0/33"])]
        {
            assert!(networks(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn element_names_are_trimmed_and_said_once() {
        assert_eq!(
            element_names(&json!(" xai:tool_usage_card, grok:render,,grok:render")).unwrap(),
            "xai:tool_usage_card,grok:render"
        );
        assert!(element_names(&json!("<script>")).is_err());
    }

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!(whole::<u32>(&json!(4), 1, 16), Ok(4));
        for bad in [json!(0), json!(17), json!(-1), json!(1.5), json!("4"), json!(null)] {
            assert_eq!(whole::<u32>(&bad, 1, 16), Err(Refusal::OutOfRange { min: 1, max: 16 }), "{bad}");
        }
        assert_eq!(ports(&json!(["8443", 80, 80])), Ok(vec![80, 8443]));
        assert!(ports(&json!([70_000])).is_err());
        assert_eq!(listen(&json!("localhost:8001")).unwrap().to_string(), "127.0.0.1:8001");
        assert!(listen(&json!("8000")).is_err());
    }
}
