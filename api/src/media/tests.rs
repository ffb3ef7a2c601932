#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream;
use grok2api_config::{MediaConfig, Settings, SettingsHandle};
use grok2api_entity::asset::{self, Column, Entity, Kind, State};
use grok2api_entity::failure::Code;
use grok2api_entity::testing::TestDatabase;
use grok2api_media::{Library, NewAsset, Shelf};
use grok2api_migration::bring_up;
use grok2api_queue::QueueError;
use grok2api_upstream::asset::{TRUSTED_HOSTS, normalize};
use poem::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use poem::http::{Method, StatusCode};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{IntoResponse, Request, Response, Server, endpoint};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::serve::{MediaWaits, Shop, serve};
use crate::asset_fetcher::AssetFetcher;

const LONG: Duration = Duration::from_secs(60);

/// Stands for the workers: stores what it was told to find, or nothing.
#[derive(Debug)]
struct Workers {
    library: Library,
    finds: Option<Bytes>,
    are_overrun: bool,
    asked: AtomicUsize,
}

#[async_trait]
impl AssetFetcher for Workers {
    async fn request(&self, asset: &asset::Model) -> Result<(), QueueError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.are_overrun {
            return Err(QueueError::Full { retry_after: Duration::from_secs(1) });
        }
        if let Some(bytes) = self.finds.clone() {
            let (library, id) = (self.library.clone(), asset.id);
            tokio::spawn(async move { library.store(id, source(bytes), None).await.unwrap() });
        }
        Ok(())
    }
}

struct Room {
    database: TestDatabase,
    home: TempDir,
    workers: Workers,
    waits: MediaWaits,
}

impl Room {
    async fn new() -> Self {
        let database = TestDatabase::sqlite().await.unwrap();
        bring_up(&database.db).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let settings = SettingsHandle::new(Settings::default());
        let library = Library::set_up(database.db.clone(), settings, &MediaConfig::default(), home.path()).unwrap();
        let workers = Workers { library, finds: None, are_overrun: false, asked: AtomicUsize::new(0) };
        Self { database, home, workers, waits: MediaWaits::new(LONG) }
    }

    async fn pending(&self, kind: Kind, path: &str) -> asset::Model {
        let source = normalize(&TRUSTED_HOSTS, path).unwrap();
        let new = NewAsset { kind, source: &source, account_id: None, owner: "key", generation_id: None, ordinal: 0 };
        self.workers.library.register(new).await.unwrap()
    }

    async fn stored(&self, kind: Kind, path: &str, bytes: &Bytes) -> asset::Model {
        let asset = self.pending(kind, path).await;
        self.workers.library.store(asset.id, source(bytes.clone()), None).await.unwrap()
    }

    async fn get(&self, name: &str, headers: &[(HeaderName, &str)]) -> Answer {
        self.ask(Method::GET, name, headers).await
    }

    async fn ask(&self, method: Method, name: &str, headers: &[(HeaderName, &str)]) -> Answer {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect();
        let shop = Shop { library: &self.workers.library, fetcher: &self.workers, waits: &self.waits };
        let response = serve(shop, name, &method, &headers).await.into_response();
        let (parts, body) = response.into_parts();
        Answer { status: parts.status, headers: parts.headers, body: body.into_bytes().await.unwrap() }
    }

    async fn end(self) {
        self.database.remove().await.unwrap();
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

fn source(bytes: Bytes) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::iter([Ok(bytes)])
}

fn video(length: usize) -> Bytes {
    let mut bytes = b"\0\0\0\x20ftypisom\0\0\x02\0".to_vec();
    bytes.extend((bytes.len()..length).map(|at| u8::try_from(at % 251).unwrap()));
    bytes.into()
}

fn picture() -> Bytes {
    Bytes::from_static(b"\xff\xd8\xff\xe0 a picture")
}

#[tokio::test]
async fn m16_a_stored_file_comes_with_its_type_and_nothing_a_browser_would_run() {
    let room = Room::new().await;
    let bytes = video(700_000);
    let asset = room.stored(Kind::Video, "users/a/v.mp4", &bytes).await;
    for name in [asset.name.as_str(), "users-a-v.mp4", "users/a/v.mp4"] {
        let answer = room.get(name, &[]).await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &bytes), "{name}");
        for (header, expected) in [
            ("content-type", "video/mp4"),
            ("content-length", "700000"),
            ("accept-ranges", "bytes"),
            ("content-disposition", "inline"),
            ("cache-control", "public, max-age=86400, immutable"),
            ("access-control-allow-origin", "*"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(answer.header(header), expected, "{header}");
        }
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"), "{policy}");
        assert_eq!(answer.header("etag"), format!("\"{}\"", asset.sha256.as_deref().unwrap()));
        assert!(answer.header("last-modified").ends_with(" GMT"));
    }
    assert_eq!(room.workers.library.flush_touches().await.unwrap(), 1);
    room.end().await;
}

#[tokio::test]
async fn one_range_is_cut_out_and_several_are_not() {
    let room = Room::new().await;
    let bytes = video(700_000);
    let asset = room.stored(Kind::Video, "users/a/v.mp4", &bytes).await;
    for (range, expected) in [
        ("bytes=0-1", 0..2),
        ("bytes=300000-", 300_000..700_000),
        ("bytes=-10", 699_990..700_000),
        ("bytes=0-99999999", 0..700_000),
    ] {
        let answer = room.get(&asset.name, &[(header::RANGE, range)]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(answer.body, bytes.slice(expected.clone()), "{range}");
        let shown = format!("bytes {}-{}/700000", expected.start, expected.end - 1);
        assert_eq!((answer.header("content-range"), answer.header("content-type")), (shown.as_str(), "video/mp4"));
        assert_eq!(answer.header("content-length"), expected.len().to_string());
    }
    let beyond = room.get(&asset.name, &[(header::RANGE, "bytes=700000-")]).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */700000"));
    assert!(beyond.header("cache-control").is_empty());
    for range in ["bytes=0-1,4-5", "pages=1-2", "nonsense"] {
        let answer = room.get(&asset.name, &[(header::RANGE, range)]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 700_000), "{range}");
    }
    room.end().await;
}

#[tokio::test]
async fn a_range_is_cut_out_only_of_the_bytes_that_the_client_began_with() {
    let room = Room::new().await;
    let asset = room.stored(Kind::Video, "users/a/v.mp4", &video(5000)).await;
    let whole = room.get(&asset.name, &[]).await;
    let (etag, date) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    for (condition, status) in [
        (etag.as_str(), StatusCode::PARTIAL_CONTENT),
        (date.as_str(), StatusCode::PARTIAL_CONTENT),
        ("\"other\"", StatusCode::OK),
        (&format!("W/{etag}"), StatusCode::OK),
        ("Sun, 06 Nov 1994 08:49:37 GMT", StatusCode::OK),
        ("nonsense", StatusCode::OK),
    ] {
        let headers = [(header::RANGE, "bytes=0-9"), (header::IF_RANGE, condition)];
        assert_eq!(room.get(&asset.name, &headers).await.status, status, "{condition}");
    }
    room.end().await;
}

#[tokio::test]
async fn a_client_that_has_the_bytes_gets_none() {
    let room = Room::new().await;
    let asset = room.stored(Kind::Image, "users/a/1.jpg", &picture()).await;
    let whole = room.get(&asset.name, &[]).await;
    let (etag, date) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    let list = format!("\"x\", W/{etag}");
    for (headers, is_known) in [
        (vec![(header::IF_NONE_MATCH, etag.as_str())], true),
        (vec![(header::IF_NONE_MATCH, list.as_str())], true),
        (vec![(header::IF_NONE_MATCH, "*")], true),
        (vec![(header::IF_NONE_MATCH, "\"x\"")], false),
        (vec![(header::IF_MODIFIED_SINCE, date.as_str())], true),
        (vec![(header::IF_MODIFIED_SINCE, old)], false),
        (vec![(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, date.as_str())], false),
        (vec![(header::IF_NONE_MATCH, etag.as_str()), (header::RANGE, "bytes=0-1")], true),
    ] {
        let answer = room.get(&asset.name, &headers).await;
        let expected = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        assert_eq!((answer.status, answer.body.is_empty()), (expected, is_known), "{headers:?}");
        assert_eq!(answer.header("etag"), etag);
    }
    room.end().await;
}

#[tokio::test]
async fn what_is_nowhere_is_told_as_the_old_gateway_told_it() {
    let room = Room::new().await;
    let upload = room.workers.library.put_input(source(picture()), "key", None).await.unwrap();
    let failed = room.pending(Kind::Image, "users/a/1.jpg").await;
    room.workers.library.fail(failed.id, Code::MediaUnavailable).await.unwrap();
    for name in ["users-a-none.jpg", "..", "../users/a/1.jpg", "", &upload.name, &failed.name] {
        let answer = room.get(name, &[]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{name:?}");
        let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["error"]["message"], "File not found");
        assert_eq!(body["error"]["type"], "invalid_request_error");
        assert_eq!((&body["error"]["code"], &body["error"]["param"]), (&().into(), &().into()));
    }
    assert_eq!(room.workers.asked.load(Ordering::SeqCst), 0);
    room.end().await;
}

#[tokio::test]
async fn a_file_that_is_still_to_be_fetched_is_asked_for_and_waited_for() {
    let mut room = Room::new().await;
    room.workers.finds = Some(picture());
    let asset = room.pending(Kind::Image, "users/a/1.jpg").await;
    let answer = room.get(&asset.name, &[]).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, picture()));
    room.workers.library.clear(Shelf::Images).await.unwrap();
    let again = room.get(&asset.name, &[]).await;
    assert_eq!((again.status, again.body), (StatusCode::OK, picture()));
    assert_eq!(room.workers.asked.load(Ordering::SeqCst), 2);
    room.end().await;
}

#[tokio::test]
async fn f64_a_file_that_was_lost_is_fetched_again_within_the_same_request() {
    let mut room = Room::new().await;
    room.workers.finds = Some(picture());
    let asset = room.stored(Kind::Image, "users/a/1.jpg", &picture()).await;
    std::fs::write(room.home.path().join(asset.storage_key.as_deref().unwrap()), "cut").unwrap();
    let answer = room.get(&asset.name, &[]).await;
    assert_eq!((answer.status, answer.body), (StatusCode::OK, picture()));
    assert_eq!(room.workers.asked.load(Ordering::SeqCst), 1);
    room.end().await;
}

#[tokio::test]
async fn i7_waiting_has_an_end_and_a_bound() {
    let mut room = Room::new().await;
    let asset = room.pending(Kind::Image, "users/a/1.jpg").await;
    room.waits = MediaWaits::with_places(Duration::from_millis(10), 1);
    assert_eq!(room.get(&asset.name, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(room.workers.asked.load(Ordering::SeqCst), 1);
    room.waits = MediaWaits::with_places(LONG, 0);
    assert_eq!(room.get(&asset.name, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(room.get("0123456789abcdefghjkmnpqrs.jpg", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(room.workers.asked.load(Ordering::SeqCst), 1);
    room.end().await;
}

#[tokio::test]
async fn workers_that_are_overrun_fail_only_what_nobody_else_fetches() {
    let mut room = Room::new().await;
    room.workers.are_overrun = true;
    let pending = room.pending(Kind::Image, "users/a/1.jpg").await;
    let evicted = room.stored(Kind::Image, "users/a/2.jpg", &picture()).await;
    room.workers.library.clear(Shelf::Images).await.unwrap();
    let answer = room.get(&evicted.name, &[]).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!answer.header("retry-after").is_empty());
    let library = room.workers.library.clone();
    let (answer, stored) =
        tokio::join!(room.get(&pending.name, &[]), library.store(pending.id, source(picture()), None));
    assert_eq!((answer.status, stored.unwrap().state), (StatusCode::OK, State::Stored));
    room.end().await;
}

#[tokio::test]
async fn a_name_that_another_process_is_about_to_commit_is_looked_for_again() {
    let room = Room::new().await;
    let name = "0123456789abcdefghjkmnpqrs.jpg";
    assert_eq!(room.get(name, &[]).await.status, StatusCode::NOT_FOUND);
    let asset = room.stored(Kind::Image, "users/a/1.jpg", &picture()).await;
    let commit = async {
        Entity::update_many()
            .col_expr(Column::Name, Expr::value(name))
            .filter(Column::Id.eq(asset.id))
            .exec(&room.database.db)
            .await
    };
    let (answer, committed) = tokio::join!(room.get(name, &[]), commit);
    assert_eq!((answer.status, committed.unwrap().rows_affected), (StatusCode::OK, 1));
    room.end().await;
}

#[tokio::test]
async fn over_http_a_head_tells_what_a_get_would_and_sends_nothing() {
    let room = Arc::new(Room::new().await);
    let bytes = video(700_000);
    let asset = room.stored(Kind::Video, "users/a/v.mp4", &bytes).await;
    let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
    let url = format!("http://{}/{}", acceptor.local_addr()[0].as_socket_addr().unwrap(), asset.name);
    let inside = Arc::clone(&room);
    let endpoint = endpoint::make(move |request: Request| {
        let room = Arc::clone(&inside);
        async move {
            let shop = Shop { library: &room.workers.library, fetcher: &room.workers, waits: &room.waits };
            let name = request.uri().path().trim_start_matches('/');
            serve(shop, name, request.method(), request.headers()).await.map(IntoResponse::into_response)
        }
    });
    let stop = CancellationToken::new();
    let server = Server::new_with_acceptor(acceptor);
    let serving = tokio::spawn(server.run_with_graceful_shutdown(endpoint, stop.clone().cancelled_owned(), Some(LONG)));
    grok2api_upstream::client::install_crypto();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let head = client.head(&url).header("range", "bytes=0-9").send().await.unwrap();
    let get = client.get(&url).send().await.unwrap();
    assert_eq!((head.status().as_u16(), get.status().as_u16()), (200, 200));
    for name in ["content-length", "content-type", "etag", "accept-ranges", "cache-control"] {
        assert!(head.headers().contains_key(name), "{name}");
        assert_eq!(head.headers().get(name), get.headers().get(name), "{name}");
    }
    assert_eq!(head.bytes().await.unwrap().len(), 0);
    assert_eq!(get.bytes().await.unwrap(), bytes);
    let part = client.get(&url).header("range", "bytes=600000-").send().await.unwrap();
    assert_eq!(part.bytes().await.unwrap(), bytes.slice(600_000..));
    drop(client);
    stop.cancel();
    serving.await.unwrap().unwrap();
    if let Some(room) = Arc::into_inner(room) {
        room.end().await;
    }
}

/// A response and an error as one, as the router makes it.
trait Answered {
    fn into_response(self) -> Response;
}

impl Answered for Result<super::MediaFile, crate::error::ApiError> {
    fn into_response(self) -> Response {
        match self {
            Ok(file) => IntoResponse::into_response(file),
            Err(error) => error.into_response(),
        }
    }
}
