//! Under which address clients reach this gateway.

use poem::Request;
use poem::http::header;

use crate::client_address;

/// Base of absolute links, without a trailing slash: the operator's `base_url`, else the host the request named, else
/// empty, which makes links relative. The scheme is the one that a trusted proxy names, else our own.
pub(crate) fn base(request: &Request, configured: &str) -> String {
    if !configured.is_empty() {
        return configured.trim_end_matches('/').to_owned();
    }
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let scheme = if client_address::is_https(request) { "https" } else { request.scheme().as_str() };
    if is_plain_host(host) { format!("{scheme}://{host}") } else { String::new() }
}

/// A host and port that can stand in a link: nothing that would break out of a quoted attribute or Markdown.
pub(crate) fn is_plain_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_wins_over_the_requests_host() {
        let request = Request::builder().header("host", "gw.example:8000").finish();
        assert_eq!(base(&request, ""), "http://gw.example:8000");
        assert_eq!(base(&request, "https://public.example/"), "https://public.example");
    }

    #[test]
    fn a_host_that_would_break_markup_gives_relative_links() {
        let request = Request::builder().header("host", "a\"><script>").finish();
        assert_eq!(base(&request, ""), "");
    }
}
