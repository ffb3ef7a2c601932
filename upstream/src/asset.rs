//! Files of the asset host: their paths as they arrive, and the public names that the seed gave them.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256};

/// Hosts whose addresses name a file of the upstream, besides the configured asset host.
pub const TRUSTED_HOSTS: [&str; 3] = ["assets.grok.com", "imagine-public.x.ai", "imgen.x.ai"];

/// Longest name under which a file may be asked for, in bytes.
const MAX_NAME_BYTES: usize = 512;

/// `-` and eight digits, which may have to be added to make a name unique.
const SUFFIX_BYTES: usize = 9;

/// What RFC 3986 does not allow in a path. The percent sign is dealt with apart: a sound escape stays as it is.
const NOT_IN_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'|')
    .add(b'^')
    .add(b'[')
    .add(b']');

/// Whether a file is a picture or a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AssetKind {
    /// Anything that is no video.
    Image,
    /// Ends in `.mp4`, `.webm`, `.mov` or `.avi`, in any case.
    Video,
}

/// Why an upstream value cannot be a file of the asset host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssetError {
    /// An address on a host that is not trusted, or not http(s).
    #[error("the file lies on a host that is not trusted")]
    ForeignHost,
    /// No path that can be asked for: empty, too long, or with characters or segments that point elsewhere.
    #[error("the file has no usable path")]
    BadPath,
}

/// Path of a file on the asset host, checked: no leading slash, no way out of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AssetPath {
    path: String,
    query: Option<String>,
}

/// Brings a path or address from the upstream into its normal form (protocol page "grok-web-media" §2).
///
/// `hosts` are the trusted ones, as `name` or `name:port`.
///
/// # Errors
///
/// [`AssetError::ForeignHost`] for any other host or scheme, [`AssetError::BadPath`] for a path that is empty, too long
/// or would leave the host's tree.
pub fn normalize<H: AsRef<str>>(hosts: &[H], raw: &str) -> Result<AssetPath, AssetError> {
    let raw = raw.trim();
    if raw.contains(|c: char| c.is_control() || c == '\\') {
        return Err(AssetError::BadPath);
    }
    let local = without_host(hosts, raw)?;
    let local = local.split('#').next().unwrap_or_default();
    let (path, query) = match local.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (local, None),
    };
    let path = encode_path(path.trim_start_matches('/'));
    if path.is_empty() || path.ends_with('/') || path.len() + SUFFIX_BYTES > MAX_NAME_BYTES {
        return Err(AssetError::BadPath);
    }
    if !path.split('/').all(is_plain_segment) {
        return Err(AssetError::BadPath);
    }
    Ok(AssetPath { path, query: query.filter(|query| !query.is_empty()).map(encode_path) })
}

/// The public name that a request below `/images/` asks for.
///
/// Slashes and dashes are one character there, as in links of the seed's era. `None` when no file can have that name.
pub fn lookup_name(request: &str) -> Option<Cow<'_, str>> {
    let request = request.trim_start_matches('/');
    let refused = request.is_empty()
        || request.len() > MAX_NAME_BYTES
        || request.contains("..")
        || request.contains(|c: char| c.is_control() || c == '\\');
    if refused {
        return None;
    }
    Some(if request.contains('/') { Cow::Owned(request.replace('/', "-")) } else { Cow::Borrowed(request) })
}

/// The public name that the seed gives to the file at a normalised path.
pub fn seed_name(path: &str) -> String {
    path.replace('/', "-")
}

impl AssetPath {
    /// The path below the asset host, percent-encoded, without leading slash and query.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// Query part of the request for the file; no part of its name.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Picture or video, by the ending.
    pub fn kind(&self) -> AssetKind {
        let ending = self.path.rsplit('.').next().unwrap_or_default();
        let video = ["mp4", "webm", "mov", "avi"].iter().any(|known| ending.eq_ignore_ascii_case(known));
        if video { AssetKind::Video } else { AssetKind::Image }
    }

    /// The public name that the seed gives: every slash becomes a dash. Different files can share it.
    pub fn seed_name(&self) -> String {
        seed_name(&self.path)
    }

    /// The name to take when another file has the seed's name: eight digits of the path's SHA-256 before the ending.
    pub fn unique_name(&self) -> String {
        let seed_name = self.seed_name();
        let (stem, ending) = match seed_name.rfind('.') {
            Some(dot) => seed_name.split_at(dot),
            None => (seed_name.as_str(), ""),
        };
        let mut name = String::with_capacity(seed_name.len() + SUFFIX_BYTES);
        name.push_str(stem);
        name.push('-');
        for byte in &Sha256::digest(self.path.as_bytes())[..4] {
            // Writing into a `String` cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        name.push_str(ending);
        name
    }
}

/// Cuts scheme and host when the host is trusted; a bare path passes.
fn without_host<'a, H: AsRef<str>>(hosts: &[H], raw: &'a str) -> Result<&'a str, AssetError> {
    let (default_port, rest) = match split_scheme(raw) {
        Some(("https", rest)) => (":443", rest),
        Some(("http", rest)) => (":80", rest),
        Some(_) => return Err(AssetError::ForeignHost),
        None => match raw.strip_prefix("//") {
            Some(rest) => (":443", rest),
            None => return Ok(raw),
        },
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    if hosts.iter().any(|host| host.as_ref().eq_ignore_ascii_case(authority)) {
        Ok(path)
    } else {
        Err(AssetError::ForeignHost)
    }
}

/// Scheme (lower case where known) and what follows `://`. A scheme with no `//` after it counts as an unknown one.
fn split_scheme(raw: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = raw.split_once(':')?;
    if scheme.contains(['/', '?', '#']) {
        return None;
    }
    match rest.strip_prefix("//") {
        Some(rest) if scheme.eq_ignore_ascii_case("https") => Some(("https", rest)),
        Some(rest) if scheme.eq_ignore_ascii_case("http") => Some(("http", rest)),
        Some(rest) => Some((scheme, rest)),
        None => Some((scheme, rest)),
    }
}

/// Escapes what may not stand in a path and percent signs that begin no escape.
fn encode_path(path: &str) -> String {
    let mut sound = String::with_capacity(path.len());
    for (index, piece) in path.split('%').enumerate() {
        if index > 0 {
            let escape = piece.len() >= 2 && piece.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
            sound.push_str(if escape { "%" } else { "%25" });
        }
        sound.extend(utf8_percent_encode(piece, NOT_IN_PATH));
    }
    sound
}

/// Whether a segment, also after unescaping, is a name and no way to another directory.
fn is_plain_segment(segment: &str) -> bool {
    let plain: Vec<u8> = percent_decode_str(segment).collect();
    plain != b"." && plain != b".." && !plain.iter().any(|byte| matches!(byte, b'/' | b'\\') || byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::Value;

    fn fixture() -> Value {
        serde_json::from_str(include_str!("../../tests/fixtures/media-names.json")).unwrap()
    }

    fn strings(list: &Value) -> Vec<String> {
        list.as_array().unwrap().iter().map(|value| value.as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn fixture_names_are_normalised_as_recorded() {
        for case in fixture()["names"].as_array().unwrap() {
            let path = normalize(&TRUSTED_HOSTS, case["asset"].as_str().unwrap()).unwrap();
            assert_eq!(path.as_str(), case["path"]);
            assert_eq!(path.seed_name(), case["seed_name"].as_str().unwrap());
            let kind = if path.kind() == AssetKind::Video { "video" } else { "image" };
            assert_eq!(kind, case["kind"]);
            for other in case["collides_with"].as_array().into_iter().flatten() {
                let other = normalize(&TRUSTED_HOSTS, other.as_str().unwrap()).unwrap();
                assert_eq!(other.seed_name(), path.seed_name());
                assert_ne!(other.unique_name(), path.unique_name());
            }
        }
    }

    #[test]
    fn fixture_refusals_are_refused() {
        for raw in strings(&fixture()["refused_assets"]) {
            assert!(normalize(&TRUSTED_HOSTS, &raw).is_err(), "{raw}");
        }
    }

    #[test]
    fn fixture_lookups_find_what_is_recorded() {
        let fixture = fixture();
        let names: Vec<String> = fixture["names"]
            .as_array()
            .unwrap()
            .iter()
            .map(|case| case["seed_name"].as_str().unwrap().to_owned())
            .collect();
        for case in fixture["lookups"].as_array().unwrap() {
            let found =
                lookup_name(case["request"].as_str().unwrap()).filter(|name| names.iter().any(|known| known == name));
            assert_eq!(found.as_deref(), case["finds"].as_str(), "{}", case["request"]);
        }
    }

    #[test]
    fn m18_no_spelling_leads_to_another_host_or_out_of_the_tree() {
        for raw in [
            "",
            "/",
            "//",
            "users/a/",
            "//evil.example/users/a.jpg",
            "https://evil.example",
            "https:/assets.grok.com/x",
            "https://assets.grok.com@evil.example/x",
            "https://user@assets.grok.com/x",
            "https://assets.grok.com:8443/x",
            "https://assets.grok.com.:443/x",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "HTTPS://EVIL.example/x",
            "users/%2e%2e/x",
            "users/%2E./x",
            "users/./x",
            "users\\..\\x",
            "users/a%2fb",
            "users/a%5cb",
            "users/a%00b",
            "users/a\u{0}b",
            "users/a\nb",
            "..",
            "a/..",
            "https://assets.grok.com",
            "https://assets.grok.com/",
        ] {
            assert!(normalize(&TRUSTED_HOSTS, raw).is_err(), "{raw:?}");
        }
        assert!(normalize(&TRUSTED_HOSTS, &"a".repeat(504)).is_err());
    }

    #[test]
    fn paths_are_encoded_once_and_queries_kept_apart() {
        let path =
            normalize(&TRUSTED_HOSTS, "HTTPS://Assets.Grok.com:443/users/a b/ü%20%zz.JPG?cache=1&x=y#top").unwrap();
        assert_eq!(path.as_str(), "users/a%20b/%C3%BC%20%25zz.JPG");
        assert_eq!(path.query(), Some("cache=1&x=y"));
        assert_eq!(normalize(&["127.0.0.1:9000"], "http://127.0.0.1:9000/a/v.MP4").unwrap().kind(), AssetKind::Video);
    }

    #[test]
    fn m14_lookups_refuse_what_no_file_is_called() {
        for request in ["", "/", "a/../b", "..", "a\\b", "a\0b", "a\nb", &"a".repeat(513)] {
            assert_eq!(lookup_name(request), None, "{request:?}");
        }
        assert_eq!(lookup_name("/users/a").as_deref(), Some("users-a"));
    }

    #[test]
    fn a_unique_name_keeps_the_ending() {
        let path = normalize(&TRUSTED_HOSTS, "users/a/b/image.jpg").unwrap();
        let name = path.unique_name();
        assert!(name.starts_with("users-a-b-image-") && name.to_ascii_lowercase().ends_with(".jpg"), "{name}");
        assert_eq!(name.len(), path.seed_name().len() + SUFFIX_BYTES);
    }
}
