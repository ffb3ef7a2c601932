//! Every route for everybody: who gets in where, and that no route was forgotten (A10).

use grok2api_entity::{admin, admin_session, connect};
use grok2api_tests::{Answer, Client, TestApp};
use reqwest::Method;
use sea_orm::EntityTrait;
use sea_orm::sea_query::{Expr, ExprTrait};
use serde_json::{Value, json};

const PASSWORD: &str = "canary: a long password";
const TOKEN: &str = "the-operators-token-1";

/// Whom a route is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum For {
    Everybody,
    /// Who is on this machine, or has another token of its own.
    Scrapers,
    Clients,
    Admins,
    /// Administrators with a session: the configured token stands for no person.
    Persons,
    /// The same, and those whose password must be changed first.
    LoggedIn,
    /// The same, and the configured token.
    AnyAdmin,
}

/// All routes. Who adds one says here whom it is for.
const ROUTES: [(For, &[&str]); 7] = [
    (
        For::Everybody,
        &[
            "get /",
            "head /",
            "get /health",
            "get /healthz",
            "get /readyz",
            "get /images/{name}",
            "head /images/{name}",
            "post /api/login",
        ],
    ),
    (For::Scrapers, &["get /metrics"]),
    (
        For::Clients,
        &[
            "post /v1/chat/completions",
            "post /v1/images/generations",
            "post /v1/images/edits",
            "post /v1/videos",
            "get /v1/videos",
            "get /v1/videos/{id}",
            "delete /v1/videos/{id}",
            "get /v1/videos/{id}/content",
            "post /v1/videos/{id}/remix",
            "get /v1/jobs/{id}",
            "get /v1/jobs/{id}/events",
            "post /v1/jobs/{id}/cancel",
            "get /v1/models",
            "get /v1/models/{id}",
        ],
    ),
    (
        For::Admins,
        &[
            "get /api/audit",
            "get /api/keys",
            "post /api/keys",
            "get /api/keys/{id}",
            "put /api/keys/{id}",
            "delete /api/keys/{id}",
            "get /api/tokens",
            "post /api/tokens/add",
            "post /api/tokens/delete",
            "post /api/tokens/tags",
            "post /api/tokens/note",
            "post /api/tokens/test",
            "get /api/tokens/tags/all",
            "get /api/settings",
            "post /api/settings",
            "get /api/cache/size",
            "post /api/cache/clear",
            "post /api/cache/clear/images",
            "post /api/cache/clear/videos",
            "get /api/stats",
            "get /api/storage/mode",
            "get /api/schedules",
            "post /api/schedules/{name}/run",
            "post /api/schedules/{name}/pause",
            "post /api/schedules/{name}/resume",
            "get /api/bulk",
            "post /api/bulk/test",
            "post /api/bulk/enable",
            "post /api/bulk/disable",
            "post /api/bulk/delete",
            "post /api/bulk/tag",
            "post /api/bulk/import",
            "get /api/bulk/{id}",
            "get /api/bulk/{id}/failures",
            "post /api/jobs/{id}/cancel",
            "get /api/jobs",
            "get /api/jobs/{id}",
            "post /api/jobs/{id}/retry",
            "get /api/queues",
            "get /api/generations",
            "get /api/generations/{id}",
            "get /api/workers",
            "get /api/accounts",
            "get /api/accounts/summary",
            "get /api/accounts/{id}",
            "patch /api/accounts/{id}",
            "delete /api/accounts/{id}",
            "post /api/accounts/{id}/test",
            "get /api/requests",
            "get /api/requests/export",
            "get /api/requests/{id}",
            "get /api/stats/series",
            "get /api/stats/overview",
        ],
    ),
    (For::Persons, &["get /api/sessions", "delete /api/sessions", "delete /api/sessions/{id}"]),
    (For::LoggedIn, &["post /api/session/confirm", "post /api/password"]),
    (For::AnyAdmin, &["get /api/session", "post /api/logout"]),
];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Nobody,
    Key,
    OtherKey,
    WrongKey,
    AdminToken,
    Session,
    /// A session whose password must be changed.
    Unchanged,
    Expired,
}

impl Who {
    /// Who has a session in force comes last, and ends all others with it.
    const ALL: [Self; 8] = [
        Self::Expired,
        Self::Nobody,
        Self::Key,
        Self::OtherKey,
        Self::WrongKey,
        Self::AdminToken,
        Self::Unchanged,
        Self::Session,
    ];

    /// Whether a route is open to this one.
    fn may_enter(self, route: For) -> bool {
        match route {
            // Tests are on this machine.
            For::Everybody | For::Scrapers => true,
            For::Clients => matches!(self, Self::Key | Self::OtherKey),
            For::Admins => matches!(self, Self::AdminToken | Self::Session),
            For::Persons => self == Self::Session,
            For::LoggedIn => matches!(self, Self::Session | Self::Unchanged),
            For::AnyAdmin => matches!(self, Self::AdminToken | Self::Session | Self::Unchanged),
        }
    }
}

/// The gateway and who is known there.
struct House {
    app: TestApp,
    other_key: String,
    expired: String,
}

impl House {
    async fn open() -> Self {
        let builder = TestApp::with(&["ann"]).startup(|startup| {
            startup.admin.password = Some(PASSWORD.into());
            startup.server.admin_token = Some(TOKEN.into());
        });
        let app = builder.setting("schedules.token_test", "off").start().await;
        let token = app.client_with_key(Some(TOKEN));
        let made = token.send(token.request(Method::POST, "/api/keys").json(&json!({"name": "other"}))).await.json();
        let other_key = made["key"].as_str().unwrap().to_owned();
        let mut house = Self { app, other_key, expired: String::new() };
        house.expired = house.log_in("admin").await;
        let seen = Expr::col(admin_session::Column::SeenAt).sub(30 * 60_000);
        let db = house.records().await;
        admin_session::Entity::update_many().col_expr(admin_session::Column::SeenAt, seen).exec(&db).await.unwrap();
        // Somebody else, whose password was made for them.
        let first = admin::find(&db, "admin").await.unwrap().unwrap();
        let new = admin::Model { name: "new".to_owned(), must_change: true, ..first };
        assert!(admin::insert(&db, new).await.unwrap());
        house
    }

    async fn records(&self) -> sea_orm::DatabaseConnection {
        connect::file(&self.app.folder.path().join("data/grok2api.db")).await.unwrap()
    }

    async fn log_in(&self, name: &str) -> String {
        let client = self.app.client_with_key(None);
        let body = json!({"username": name, "password": PASSWORD});
        let answer = client.send(client.request(Method::POST, "/api/login").json(&body)).await;
        answer.json()["token"].as_str().unwrap_or_else(|| panic!("{}", answer.text)).to_owned()
    }

    /// A client of this one. Sessions are new: what was asked before may have ended them.
    async fn client(&self, who: Who) -> Client {
        let key = match who {
            Who::Nobody => None,
            Who::Key => return self.app.client(),
            Who::OtherKey => Some(self.other_key.clone()),
            Who::WrongKey => Some("g2a_wrong-key-of-nobody".to_owned()),
            Who::AdminToken => Some(TOKEN.to_owned()),
            Who::Session => Some(self.log_in("admin").await),
            Who::Unchanged => Some(self.log_in("new").await),
            Who::Expired => Some(self.expired.clone()),
        };
        self.app.client_with_key(key.as_deref())
    }
}

/// All routes of the OpenAPI document, as `method /path`.
fn described() -> Vec<String> {
    let document: Value = serde_json::from_str(&grok2api_api::openapi_document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let of = |path: &String, operations: &Value| {
        operations.as_object().unwrap().keys().map(|method| format!("{method} {path}")).collect::<Vec<_>>()
    };
    paths.iter().flat_map(|(path, operations)| of(path, operations)).collect()
}

async fn ask(client: &Client, route: &str) -> Answer {
    let (method, template) = route.split_once(' ').unwrap();
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    let path = template.replace("{id}", "no-such-thing").replace("{name}", "no-such-thing");
    let mut request = client.request(method.clone(), &path);
    if matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        // What proves a password is given the right one, and changes nothing.
        let proof = json!({"password": PASSWORD, "current_password": PASSWORD, "new_password": "short"});
        let proves = matches!(template, "/api/session/confirm" | "/api/password");
        request = request.json(&if proves { proof } else { json!({}) });
    }
    client.send(request).await
}

#[test]
fn a10_every_route_says_whom_it_is_for() {
    let mut listed: Vec<&str> = ROUTES.iter().flat_map(|(_, routes)| routes.iter().copied()).collect();
    let mut described = described();
    listed.sort_unstable();
    described.sort_unstable();
    assert_eq!(listed, described, "ROUTES of this test and the OpenAPI document");
}

#[tokio::test]
async fn a10_each_route_is_open_to_those_it_is_for_and_to_nobody_else() {
    let house = House::open().await;
    for who in Who::ALL {
        let mut client = house.client(who).await;
        for (whom, routes) in ROUTES {
            for route in routes {
                let answer = ask(&client, route).await;
                let told = format!("{who:?} {route}: {} {}", answer.status, answer.text);
                assert!(answer.status.as_u16() < 500, "{told}");
                let is_refused = matches!(answer.status.as_u16(), 401 | 403);
                assert_eq!(is_refused, !who.may_enter(whom), "{told}");
                let code = answer.code();
                match (who, whom) {
                    (_, For::Everybody | For::Scrapers) => {}
                    (_, For::Clients) if is_refused => assert_eq!(code, "invalid_api_key", "{told}"),
                    (Who::Nobody, _) => assert_eq!(code, "UNAUTHORIZED", "{told}"),
                    (
                        Who::Key | Who::OtherKey | Who::WrongKey,
                        For::Admins | For::Persons | For::LoggedIn | For::AnyAdmin,
                    ) => {
                        assert_eq!(code, "SESSION_INVALID", "{told}");
                    }
                    (Who::Expired, _) => assert_eq!(code, "SESSION_EXPIRED", "{told}"),
                    (Who::Unchanged, For::Admins | For::Persons) => {
                        assert_eq!(code, "PASSWORD_CHANGE_REQUIRED", "{told}");
                    }
                    (Who::AdminToken, For::Persons | For::LoggedIn) => assert_eq!(code, "SESSION_REQUIRED", "{told}"),
                    _ => {}
                }
                if matches!(*route, "post /api/logout" | "delete /api/sessions") {
                    client = house.client(who).await;
                }
            }
        }
    }
    house.app.stop().await;
}
