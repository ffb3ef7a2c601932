//! What browsers are told beside each answer: what a page may do, and which pages may read it (B2, B5).

use poem::http::header::{self, HeaderName};
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};
use poem::{Request, Response};

/// For answers that are no pages: shown in a browser, they load and run nothing.
pub(crate) const JSON_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
/// What no page of ours needs.
const PERMISSIONS: &str = "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
    magnetometer=(), microphone=(), midi=(), payment=(), usb=()";
/// A year.
const TRANSPORT: &str = "max-age=31536000";

/// Whose a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// `/v1` and `/images`: for clients, in pages of any origin.
    Clients,
    /// `/api`: for the operator.
    Operator,
    /// Everything else: pages and signs of life.
    House,
}

impl Audience {
    pub(crate) fn of(path: &str) -> Self {
        let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        if below("/v1") || below("/images") {
            Self::Clients
        } else if below("/api") {
            Self::Operator
        } else {
            Self::House
        }
    }

    /// Adds what all answers of its paths say; what an answer says by itself about its content stays.
    pub(crate) fn protect(self, headers: &mut HeaderMap, is_https: bool) {
        let text = HeaderValue::from_static;
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, text("nosniff"));
        headers.insert(header::REFERRER_POLICY, text("no-referrer"));
        headers.insert(PERMISSIONS_POLICY, text(PERMISSIONS));
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(text(JSON_POLICY));
        if self == Self::Clients {
            headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, text("cross-origin"));
        } else {
            headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, text("same-origin"));
            headers.insert(CROSS_ORIGIN_OPENER_POLICY, text("same-origin"));
        }
        if self == Self::Operator {
            headers.insert(header::CACHE_CONTROL, text("no-store"));
        }
        if is_https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, text(TRANSPORT));
        }
    }
}

/// What a browser of another origin needs; no credentials of the browser's own are involved.
pub(crate) struct Cors {
    preflight: Option<HeaderValue>,
    is_preflight: bool,
}

impl Cors {
    /// `None` when no page asks, or on paths that are not for other origins.
    pub(crate) fn of(request: &Request, audience: Audience) -> Option<Self> {
        request.headers().get(header::ORIGIN).filter(|_| audience == Audience::Clients)?;
        let is_preflight = *request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let preflight = request.headers().get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        Some(Self { preflight, is_preflight })
    }

    pub(crate) fn preflight(&self) -> Option<Response> {
        if !self.is_preflight {
            return None;
        }
        let mut response = Response::builder().status(StatusCode::NO_CONTENT).finish();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
        if let Some(asked) = &self.preflight {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        Some(response)
    }

    pub(crate) fn open(headers: &mut HeaderMap) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.entry(header::ACCESS_CONTROL_EXPOSE_HEADERS).or_insert(HeaderValue::from_static(
            "x-request-id, retry-after, x-grok2api-ignored, idempotent-replayed, openai-poll-after-ms",
        ));
        headers.insert(header::VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b5_only_the_paths_of_clients_are_for_other_origins() {
        for (path, audience) in [
            ("/v1/models", Audience::Clients),
            ("/images/a.jpg", Audience::Clients),
            ("/v1", Audience::Clients),
            ("/v10/models", Audience::House),
            ("/api/bulk/test", Audience::Operator),
            ("/apis", Audience::House),
            ("/docs", Audience::House),
            ("/", Audience::House),
        ] {
            assert_eq!(Audience::of(path), audience, "{path}");
            let request = Request::builder().header("origin", "https://a.example").finish();
            assert_eq!(Cors::of(&request, audience).is_some(), audience == Audience::Clients, "{path}");
        }
    }

    #[test]
    fn b2_an_answer_keeps_the_policy_of_its_own_and_tls_is_only_asked_for_where_it_is() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
        Audience::House.protect(&mut headers, false);
        assert_eq!(headers[header::CONTENT_SECURITY_POLICY], "sandbox");
        assert!(!headers.contains_key(header::STRICT_TRANSPORT_SECURITY));
        Audience::House.protect(&mut headers, true);
        assert_eq!(headers[header::STRICT_TRANSPORT_SECURITY], TRANSPORT);
    }
}
