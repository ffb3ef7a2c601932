//! What browsers are told: headers on every path, and who of other origins may read what.

use grok2api_tests::{Answer, TestApp};
use reqwest::Method;

const TOKEN: &str = "the-operators-token-1";
const STRICT: &str = "default-src 'none'; frame-ancestors 'none'";

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn b2_every_answer_says_what_a_browser_may_do_with_it() {
    let app = TestApp::with(&["ann"]).startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await;
    let operator = app.client_with_key(Some(TOKEN));
    for (path, status) in [
        ("/", 200),
        ("/healthz", 200),
        ("/openapi.json", 200),
        ("/docs", 200),
        ("/nothing", 404),
        ("/v1/models", 401),
        ("/images/nothing.jpg", 404),
        ("/api/schedules", 200),
        ("/api/nothing", 404),
    ] {
        let answer = operator.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer", "{path}");
        assert!(header(&answer, "permissions-policy").contains("camera=()"), "{path}");
        let is_for_clients = path.starts_with("/v1") || path.starts_with("/images");
        let (resources, opener) = if is_for_clients { ("cross-origin", "") } else { ("same-origin", "same-origin") };
        assert_eq!(header(&answer, "cross-origin-resource-policy"), resources, "{path}");
        assert_eq!(header(&answer, "cross-origin-opener-policy"), opener, "{path}");
        let kept = if path.starts_with("/api/") { "no-store" } else { "" };
        assert_eq!(header(&answer, "cache-control"), kept, "{path}");
        if path != "/docs" {
            assert_eq!(header(&answer, "content-security-policy"), STRICT, "{path}");
        }
        assert!(!answer.headers.contains_key("strict-transport-security"), "{path}");
    }
    app.stop().await;
}

#[tokio::test]
async fn b1_the_reference_runs_its_own_program_and_loads_nothing_from_elsewhere() {
    let app = TestApp::with(&[]).start().await;
    let page = app.client_with_key(None).get("/docs").await;
    assert!(header(&page, "content-type").starts_with("text/html"));
    assert!(page.text.contains("id=\"api-reference\""));
    let policy = header(&page, "content-security-policy");
    for part in ["default-src 'none'", "script-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part} is missing in {policy}");
    }
    assert!(!policy.contains("http") && !policy.contains("unsafe-eval"), "{policy}");
    app.stop().await;
}

#[tokio::test]
async fn b5_pages_of_other_origins_may_read_what_is_for_clients_and_nothing_of_the_operators() {
    let app = TestApp::with(&["ann"]).startup(|startup| startup.server.admin_token = Some(TOKEN.into())).start().await;
    let operator = app.client_with_key(Some(TOKEN));
    for (path, is_open) in [
        ("/v1/models", true),
        ("/v1/nothing", true),
        ("/images/nothing.jpg", true),
        ("/api/schedules", false),
        ("/api/bulk/import", false),
        ("/api/nothing", false),
        ("/metrics", false),
        ("/docs", false),
        ("/openapi.json", false),
        ("/", false),
    ] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = operator
                .request(method.clone(), path)
                .header("origin", "https://chat.example")
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization");
            let answer = operator.send(request).await;
            let allowed = if is_open { "*" } else { "" };
            assert_eq!(header(&answer, "access-control-allow-origin"), allowed, "{method} {path}");
            let told = answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).count();
            assert!(is_open || told == 0, "{method} {path}: {:?}", answer.headers);
            assert!(!answer.headers.contains_key("access-control-allow-credentials"), "{method} {path}");
        }
    }
    app.stop().await;
}
