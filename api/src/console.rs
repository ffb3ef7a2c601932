//! The console: the page of `/login` and `/manage`, and what it loads from `/static`, compiled into the program.
//!
//! `npm run build` in `console/` makes the files. A program that was built without them serves a page that says so.

use std::borrow::Cow;

use poem::endpoint::make_sync;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Request, Response, Route};
use rust_embed::{EmbeddedFile, RustEmbed};

/// The page loads and asks this server alone, and nothing that is written into it runs.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
    media-src 'self' blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
/// Names of what the page loads change with what is in them.
const FOREVER: &str = "public, max-age=31536000, immutable";
const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>grok2api</title>\
    <h1>The console is not in this program</h1><p>It was built without Node. Build it with \
    <code>npm ci --ignore-scripts &amp;&amp; npm run build</code> in the folder <code>console</code>, then build the \
    program again. The API works: see <a href=\"/docs\">its reference</a>.</p></html>";

/// What `npm run build` made, each file also as `.br` and `.gz`.
#[derive(RustEmbed)]
#[folder = "../console/dist"]
#[allow_missing = true]
struct Files;

/// Adds the addresses of the console.
pub(crate) fn with_console(paths: Route) -> Route {
    let page = || poem::get(make_sync(|request| page(&request)));
    paths
        .at("/login", page())
        .at("/manage", page())
        .at("/manage/*rest", page())
        .at("/static/*name", poem::get(make_sync(|request| file(&request))))
}

/// The one page: its program finds by the address what to show.
fn page(request: &Request) -> Response {
    let headers = request.headers();
    let mut response = match found("index.html", headers) {
        Some(found) if is_known(headers, &found.tag) => {
            Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, found.tag).finish()
        }
        Some(found) => found.into_response("text/html; charset=utf-8"),
        None => Response::builder().content_type("text/html; charset=utf-8").body(MISSING),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// One of the files that the page loads.
fn file(request: &Request) -> Response {
    let name = request.uri().path().strip_prefix("/static/").unwrap_or_default();
    let kind = content_type(name).filter(|_| name != "index.html");
    let Some((kind, found)) = kind.and_then(|kind| Some((kind, found(name, request.headers())?))) else {
        return Response::builder().status(StatusCode::NOT_FOUND).content_type("text/plain; charset=utf-8").body("");
    };
    // Only names below `assets` have a digest in them.
    let keep = if name.starts_with("assets/") { FOREVER } else { "no-cache" };
    let mut response = if is_known(request.headers(), &found.tag) {
        Response::builder().status(StatusCode::NOT_MODIFIED).header(header::ETAG, found.tag).finish()
    } else {
        found.into_response(kind)
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    response
}

/// A file in the shortest form that the browser takes.
struct Found {
    data: Cow<'static, [u8]>,
    coding: Option<&'static str>,
    tag: String,
}

impl Found {
    fn into_response(self, kind: &'static str) -> Response {
        let mut response = Response::builder().content_type(kind).header(header::ETAG, self.tag);
        if let Some(coding) = self.coding {
            response = response.header(header::CONTENT_ENCODING, coding);
        }
        match self.data {
            Cow::Borrowed(data) => response.body(data),
            Cow::Owned(data) => response.body(data),
        }
    }
}

fn found(name: &str, headers: &HeaderMap) -> Option<Found> {
    let codings = [("br", ".br"), ("gzip", ".gz")];
    let accepted = codings.into_iter().filter(|(coding, _)| accepts(headers, coding));
    for (coding, ending) in accepted {
        if let Some(EmbeddedFile { data, metadata }) = Files::get(&format!("{name}{ending}")) {
            return Some(Found { data, coding: Some(coding), tag: tag(&metadata.sha256_hash()) });
        }
    }
    let EmbeddedFile { data, metadata } = Files::get(name)?;
    Some(Found { data, coding: None, tag: tag(&metadata.sha256_hash()) })
}

/// Whether the browser takes a coding; one with the weight 0 is refused.
fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|choice| {
        let (name, weight) = choice.split_once(';').unwrap_or((choice, ""));
        let weight = weight.trim().trim_start_matches("q=");
        name.trim().eq_ignore_ascii_case(coding) && weight.parse::<f32>().unwrap_or(1.0) > 0.0
    })
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let values = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag)
}

fn tag(digest: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    let mut tag = String::from("\"");
    for byte in &digest[..12] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

/// Compressed forms are no files of their own.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "png" => Some("image/png"),
        "woff2" => Some("font/woff2"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
    }

    #[test]
    fn a_coding_is_taken_by_name_and_weight() {
        let some = headers(header::ACCEPT_ENCODING, "gzip, deflate, br;q=0, zstd;q=0.5");
        assert!(accepts(&some, "gzip") && accepts(&some, "zstd"));
        assert!(!accepts(&some, "br") && !accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn a_browser_that_has_the_page_is_not_sent_it_again() {
        assert!(is_known(&headers(header::IF_NONE_MATCH, "\"a\", W/\"b\""), "\"b\""));
        assert!(!is_known(&headers(header::IF_NONE_MATCH, "\"a\""), "\"b\""));
    }

    #[test]
    fn b1_nothing_is_served_below_static_that_was_not_built() {
        for name in
            ["index.html", "../Cargo.toml", "%2e%2e/api/Cargo.toml", "assets/", "assets/a.js.map", "assets/a.js.br"]
        {
            let request = Request::builder().uri_str(format!("/static/{name}")).finish();
            assert_eq!(file(&request).status(), StatusCode::NOT_FOUND, "{name}");
        }
    }

    #[test]
    fn b1_the_page_runs_nothing_that_is_written_into_it() {
        let answer = page(&Request::builder().uri_str("/manage/accounts").finish());
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-cache");
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http"));
    }
}
