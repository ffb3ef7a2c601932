//! Which question does a request ask?

use http::Method;

/// What the upstream offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /rest/app-chat/conversations/new`
    Chat,
    /// `POST /rest/app-chat/upload-file`
    Upload,
    /// `POST /rest/rate-limits`
    RateLimits,
    /// `GET /users/…`: generated and uploaded files.
    Asset,
}

impl Route {
    /// The route of a request. A prefix before `/rest/` is allowed, since a base address may have a path.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        if method == Method::GET {
            return path.contains("/users/").then_some(Self::Asset);
        }
        if method != Method::POST {
            return None;
        }
        let (_, rest) = path.split_once("/rest/")?;
        match rest {
            "app-chat/conversations/new" => Some(Self::Chat),
            "app-chat/upload-file" => Some(Self::Upload),
            "rate-limits" => Some(Self::RateLimits),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_does_not_hide_a_route() {
        assert_eq!(Route::of(&Method::POST, "/rest/rate-limits"), Some(Route::RateLimits));
        assert_eq!(Route::of(&Method::POST, "/grok/rest/app-chat/conversations/new"), Some(Route::Chat));
        assert_eq!(Route::of(&Method::GET, "/users/u/generated/a/image.jpg"), Some(Route::Asset));
        assert_eq!(Route::of(&Method::GET, "/rest/rate-limits"), None);
    }
}
