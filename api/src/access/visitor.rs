//! Who asks, as far as it can be seen from outside: address, browser, cookies, and where the page lies that asks.

use poem::Request;
use poem::http::uri::Authority;
use poem::http::{Method, header};

use crate::client_address;
use crate::state::AppState;

/// Longest name of a client that is kept, in characters.
const AGENT_CHARS: usize = 200;

/// The client's address, as text.
pub(crate) fn ip(request: &Request) -> String {
    client_address::of(request).to_string()
}

/// What attempts are counted by: the address, or the /64 that a version-6 one belongs to (A6).
pub(crate) fn neighbourhood(request: &Request) -> String {
    client_address::network(client_address::of(request)).to_string()
}

/// What the client calls itself; cut, without control characters.
pub(crate) fn agent(request: &Request) -> String {
    let agent = request.headers().get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.chars().filter(|letter| !letter.is_control()).take(AGENT_CHARS).collect()
}

/// Whether the client's connection is encrypted, as a trusted proxy or the operator says.
pub(crate) fn is_https(request: &Request, state: &AppState) -> bool {
    client_address::is_https(request) || state.gateway.settings().load().global.base_url.starts_with("https://")
}

/// The bearer token that a request carries.
pub(crate) fn bearer(request: &Request) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The first cookie of that name.
pub(crate) fn cookie<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    let cookies = request.headers().get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Whether a browser says that a page of ours asks: nobody else's page may use its cookies to change anything (B6).
pub(crate) fn is_own_page(request: &Request, state: &AppState) -> bool {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return true;
    }
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if text("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return false;
    }
    let Some((scheme, origin)) = text("origin").and_then(|origin| origin.split_once("://")) else { return false };
    if !matches!(scheme, "http" | "https") {
        return false;
    }
    let settings = state.gateway.settings().load();
    let public = settings.global.base_url.split_once("://").map(|(_, rest)| rest.split('/').next().unwrap_or(rest));
    let host = text("host").or_else(|| request.uri().authority().map(Authority::as_str));
    [host, public].into_iter().flatten().any(|own| own.eq_ignore_ascii_case(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let request = Request::builder().header("cookie", "a=1; b=2=3").header("cookie", "c=4").finish();
        assert_eq!(cookie(&request, "a"), Some("1"));
        assert_eq!(cookie(&request, "b"), Some("2=3"));
        assert_eq!(cookie(&request, "c"), Some("4"));
        assert_eq!(cookie(&request, "d"), None);
    }

    #[test]
    fn only_bearers_carry_a_token() {
        let of = |value: &str| {
            let request = Request::builder().header("authorization", value).finish();
            bearer(&request).map(ToOwned::to_owned)
        };
        assert_eq!(of("bearer  abc ").as_deref(), Some("abc"));
        assert_eq!(of("Basic abc"), None);
        assert_eq!(of("abc"), None);
    }
}
