//! The router: every operation, its document, and the edge around them.

use std::sync::Arc;

use bytes::Bytes;
use poem::endpoint::BoxEndpoint;
use poem::http::header;
use poem::{EndpointExt, Response, Route, endpoint::make_sync};
use poem_openapi::{ContactObject, LicenseObject, OpenApiService};

use crate::access::{AuditApi, LoginApi, MeApi, SessionsApi};
use crate::accounts::AccountsApi;
use crate::bulk::BulkApi;
use crate::chat::ChatApi;
use crate::console::with_console;
use crate::docs_page::docs_page;
use crate::edge::Edge;
use crate::images::ImagesApi;
use crate::jobs::JobsApi;
use crate::keys::KeysApi;
use crate::management::{self, ManagementApis};
use crate::mcp::McpEndpoint;
use crate::media::MediaApi;
use crate::models::ModelsApi;
use crate::numbers::{OverviewApi, RequestsApi, SeriesApi};
use crate::operation::OperationApi;
use crate::routes::Routes;
use crate::schedules::SchedulesApi;
use crate::state::AppState;
use crate::videos::VideosApi;
use crate::work::{GenerationsApi, OwnJobsApi, WorkersApi};

type ClientApis = (ChatApi, ImagesApi, VideosApi, MediaApi, JobsApi, ModelsApi);
type AccessApis = (LoginApi, MeApi, SessionsApi, AuditApi);
type NumbersApis = (RequestsApi, SeriesApi, OverviewApi);
type PoolApis = (AccountsApi, BulkApi, SchedulesApi);
type WorkApis = (OwnJobsApi, GenerationsApi, WorkersApi);
type Apis = (ClientApis, AccessApis, KeysApi, ManagementApis, PoolApis, WorkApis, NumbersApis, OperationApi);

fn service() -> OpenApiService<Apis, ()> {
    let clients = (ChatApi, ImagesApi, VideosApi, MediaApi, JobsApi, ModelsApi);
    let access = (LoginApi, MeApi, SessionsApi, AuditApi);
    let pool = (AccountsApi, BulkApi, SchedulesApi);
    let work = (OwnJobsApi, GenerationsApi, WorkersApi);
    let numbers = (RequestsApi, SeriesApi, OverviewApi);
    let apis = (clients, access, KeysApi, management::apis(), pool, work, numbers, OperationApi);
    OpenApiService::new(apis, "grok2api", env!("CARGO_PKG_VERSION"))
        .description("One OpenAI-compatible endpoint in front of a pool of your own Grok accounts.")
        .license(LicenseObject::new("MIT"))
        .contact(ContactObject::new().name("grok2api"))
}

/// The OpenAPI document, as JSON.
pub fn openapi_document() -> String {
    service().spec()
}

/// The whole HTTP surface.
pub fn app(state: AppState) -> BoxEndpoint<'static, Response> {
    let service = service();
    let spec = Bytes::from(service.spec());
    let routes = Arc::new(Routes::from_spec(&String::from_utf8_lossy(&spec)));
    let document = make_sync(move |_| json_text(spec.clone()));
    let clients = Route::new().nest("/", self::service()).data(state.clone()).map_to_response().boxed();
    let paths = with_console(Route::new())
        .at("/mcp", McpEndpoint::new(state.clone(), clients))
        .at("/openapi.json", poem::get(document))
        .at("/docs", poem::get(docs_page))
        .nest("/", service)
        .data(state.clone());
    Edge::new(paths, routes, state).map_to_response().boxed()
}

/// Health, readiness and metrics alone, for a process that only works.
pub fn operation_app(state: AppState) -> BoxEndpoint<'static, Response> {
    let service = OpenApiService::new(OperationApi, "grok2api", env!("CARGO_PKG_VERSION"));
    let routes = Arc::new(Routes::from_spec(&service.spec()));
    let paths = Route::new().nest("/", service).data(state.clone());
    Edge::new(paths, routes, state).map_to_response().boxed()
}

/// The page that shows the document.
pub(crate) fn docs_html() -> String {
    service().scalar_html()
}

fn json_text(text: Bytes) -> Response {
    Response::builder().header(header::CONTENT_TYPE, "application/json").body(text)
}
