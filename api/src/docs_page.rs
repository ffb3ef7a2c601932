//! `/docs`: the API reference as a page, which loads nothing from elsewhere.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use poem::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use poem::{Response, handler};
use sha2::{Digest, Sha256};

/// What stands around the page's program.
const SCRIPT: (&str, &str) = ("<script charset=\"UTF-8\">", "</script>");

/// The page and the policy under which it works.
#[derive(Debug)]
struct Page {
    html: Bytes,
    policy: String,
}

/// One for the process: it has megabytes.
static PAGE: OnceLock<Page> = OnceLock::new();

/// The API reference.
#[handler]
pub(crate) fn docs_page() -> Response {
    let page = PAGE.get_or_init(|| Page::new(crate::app::docs_html()));
    Response::builder()
        .header(CONTENT_TYPE, "text/html; charset=utf-8")
        .header(CONTENT_SECURITY_POLICY, &page.policy)
        .body(page.html.clone())
}

impl Page {
    /// The page's one program may run, whatever else is written into it may not. It styles what it makes, asks this server
    /// alone, and does without its web fonts, which are on a server of others.
    fn new(html: String) -> Self {
        let program = html.split_once(SCRIPT.0).and_then(|(_, behind)| behind.rsplit_once(SCRIPT.1));
        let digest = program.map(|(program, _)| STANDARD.encode(Sha256::digest(program.as_bytes())));
        let script = digest.map_or_else(|| "'none'".to_owned(), |digest| format!("'sha256-{digest}'"));
        let policy = format!(
            "default-src 'none'; script-src {script}; style-src 'unsafe-inline'; img-src 'self' data: blob:; \
             font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        Self { html: html.into(), policy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b1_the_program_of_the_page_runs_by_its_hash_and_nothing_else_does() {
        let page = Page::new(crate::app::docs_html());
        // The digest of what a browser sees between the two marks.
        let html = String::from_utf8_lossy(&page.html);
        let scripts: Vec<&str> = html.split("<script").skip(1).collect();
        assert!(scripts[0].contains("type=\"application/json\""), "the first only holds the document");
        let begin = html.find(SCRIPT.0).map_or(0, |at| at + SCRIPT.0.len());
        let end = html[begin..].find("</script").map_or(0, |at| begin + at);
        let digest = STANDARD.encode(Sha256::digest(&html.as_bytes()[begin..end]));
        assert!(end > begin && page.policy.contains(&format!("script-src 'sha256-{digest}';")), "{}", page.policy);
        assert!(!html.contains("<script src"), "it loads nothing");
    }
}
