//! A small S3-compatible service for tests, which keeps its objects in a folder and can be made to misbehave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use grok2api_config::S3Config;
use grok2api_media::{S3, S3Limits};
use poem::http::{Method, StatusCode, header};
use poem::listener::{Acceptor, Listener, TcpListener};
use poem::{Body, Request, Response, Server, endpoint};
use secrecy::SecretString;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio::task::JoinHandle;

const BUCKET: &str = "/pictures";
const PAGE: usize = 3;

/// The running service; ends when it is dropped.
pub(crate) struct S3Server {
    pub(crate) faults: Arc<Faults>,
    folder: TempDir,
    url: String,
    serving: JoinHandle<()>,
}

/// How it misbehaves, and what it counted.
#[derive(Default)]
pub(crate) struct Faults {
    /// So many of the next requests are answered with 503.
    pub(crate) unavailable: AtomicUsize,
    /// Requests are never answered.
    pub(crate) silent: AtomicBool,
    /// Parts of uploads are refused.
    pub(crate) refuse_parts: AtomicBool,
    /// Requests so far.
    pub(crate) requests: AtomicUsize,
    uploads: AtomicUsize,
}

impl S3Server {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["objects", "uploads"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let faults = Arc::new(Faults::default());
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let (root, misbehave) = (folder.path().to_owned(), Arc::clone(&faults));
        let serve = endpoint::make(move |request| {
            let (root, faults) = (root.clone(), Arc::clone(&misbehave));
            async move { answer(root, &faults, request).await }
        });
        let serving = tokio::spawn(async move { Server::new_with_acceptor(acceptor).run(serve).await.unwrap() });
        Self { faults, folder, url, serving }
    }

    /// A store on this service.
    pub(crate) fn store(&self, prefix: &str, silence: Duration) -> S3 {
        let config = S3Config {
            bucket: BUCKET.trim_start_matches('/').to_owned(),
            prefix: prefix.to_owned(),
            region: "test".to_owned(),
            endpoint: self.url.clone(),
            access_key_id: "id".to_owned(),
            secret_access_key: Some(SecretString::from("canary")),
            allow_http: true,
        };
        let pause = Duration::from_millis(1);
        let limits = S3Limits { connect: silence, request: silence, step: Duration::from_secs(60), pause };
        S3::open(&config, limits).unwrap()
    }

    /// Where an object lies.
    pub(crate) fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("objects").join(key.replace('/', ","))
    }

    /// Names of all objects.
    pub(crate) fn objects(&self) -> Vec<String> {
        names(&self.folder.path().join("objects"))
    }

    /// Uploads that were begun and neither finished nor called off.
    pub(crate) fn open_uploads(&self) -> usize {
        names(&self.folder.path().join("uploads")).len()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn names(folder: &std::path::Path) -> Vec<String> {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names.into_iter().map(|name| name.replace(',', "/")).collect()
}

async fn answer(root: PathBuf, faults: &Faults, request: Request) -> Response {
    faults.requests.fetch_add(1, Ordering::SeqCst);
    if faults.silent.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
    if faults.unavailable.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
        return plain(StatusCode::SERVICE_UNAVAILABLE);
    }
    let signed = request.header("authorization").unwrap_or_default().starts_with("AWS4-HMAC-SHA256 Credential=id/");
    let Some(key) = request.uri().path().strip_prefix(BUCKET).filter(|_| signed) else {
        return plain(StatusCode::FORBIDDEN);
    };
    let (key, method) = (key.trim_start_matches('/').replace('/', ","), request.method().clone());
    let query: BTreeMap<String, String> = request.params().unwrap_or_default();
    let object = root.join("objects").join(&key);
    let upload = query.get("uploadId").map(|id| root.join("uploads").join(id));
    match (method, upload) {
        (Method::GET, None) if query.contains_key("list-type") => list(&root, &query),
        (Method::GET | Method::HEAD, None) => read(&object, &request).await,
        (Method::PUT, None) => write(&object, request).await,
        (Method::DELETE, None) => {
            let _ = std::fs::remove_file(object);
            plain(StatusCode::NO_CONTENT)
        }
        (Method::POST, None) if query.contains_key("uploads") => {
            let id = format!("upload-{}", faults.uploads.fetch_add(1, Ordering::SeqCst));
            std::fs::create_dir(root.join("uploads").join(&id)).unwrap();
            xml(&format!("<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"))
        }
        (Method::PUT, Some(_)) if faults.refuse_parts.load(Ordering::SeqCst) => plain(StatusCode::BAD_REQUEST),
        (Method::PUT, Some(upload)) => write(&upload.join(format!("{:0>5}", query["partNumber"])), request).await,
        (Method::POST, Some(upload)) => {
            let mut whole = std::fs::File::create(&object).unwrap();
            for part in names(&upload) {
                std::io::copy(&mut std::fs::File::open(upload.join(part)).unwrap(), &mut whole).unwrap();
            }
            std::fs::remove_dir_all(upload).unwrap();
            xml("<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>")
        }
        (Method::DELETE, Some(upload)) => {
            let _ = std::fs::remove_dir_all(upload);
            plain(StatusCode::NO_CONTENT)
        }
        _ => plain(StatusCode::BAD_REQUEST),
    }
}

async fn write(place: &PathBuf, request: Request) -> Response {
    let arriving = place.with_extension("arriving");
    let mut file = tokio::fs::File::create(&arriving).await.unwrap();
    let mut body = request.into_body().into_async_read();
    if tokio::io::copy(&mut body, &mut file).await.is_err() {
        return plain(StatusCode::BAD_REQUEST);
    }
    file.flush().await.unwrap();
    std::fs::rename(arriving, place).unwrap();
    Response::builder().header(header::ETAG, "\"part\"").finish()
}

async fn read(object: &PathBuf, request: &Request) -> Response {
    let Ok(mut file) = tokio::fs::File::open(object).await else { return plain(StatusCode::NOT_FOUND) };
    let length = file.metadata().await.unwrap().len();
    let mut response = Response::builder()
        .header(header::ETAG, "\"e\"")
        .header(header::LAST_MODIFIED, "Sun, 22 Nov 2026 00:00:00 GMT");
    let mut range = 0..length;
    if let Some(asked) = request.header("range").and_then(|range| range.strip_prefix("bytes=")) {
        let (first, last) = asked.split_once('-').unwrap();
        range = first.parse().unwrap()..(last.parse::<u64>().unwrap() + 1).min(length);
        if range.is_empty() {
            return plain(StatusCode::RANGE_NOT_SATISFIABLE);
        }
        let shown = format!("bytes {}-{}/{length}", range.start, range.end - 1);
        response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, shown);
    }
    response = response.header(header::CONTENT_LENGTH, range.end - range.start);
    if request.method() == Method::HEAD {
        return response.finish();
    }
    file.seek(std::io::SeekFrom::Start(range.start)).await.unwrap();
    response.body(Body::from_async_read(file.take(range.end - range.start)))
}

fn list(root: &std::path::Path, query: &BTreeMap<String, String>) -> Response {
    let prefix = query.get("prefix").cloned().unwrap_or_default();
    let after = query.get("continuation-token").or(query.get("start-after")).cloned().unwrap_or_default();
    let found: Vec<String> = names(&root.join("objects"))
        .into_iter()
        .filter(|name| name.starts_with(&prefix) && *name > after && !name.ends_with(".arriving"))
        .collect();
    let mut text = format!("<ListBucketResult><Name>pictures</Name><IsTruncated>{}</IsTruncated>", found.len() > PAGE);
    for name in found.iter().take(PAGE) {
        let length = std::fs::metadata(root.join("objects").join(name.replace('/', ","))).unwrap().len();
        write!(
            text,
            "<Contents><Key>{name}</Key><LastModified>2026-11-22T00:00:00.000Z</LastModified><ETag>\"e\"</ETag>\
             <Size>{length}</Size></Contents>"
        )
        .unwrap();
    }
    if found.len() > PAGE {
        write!(text, "<NextContinuationToken>{}</NextContinuationToken>", found[PAGE - 1]).unwrap();
    }
    xml(&(text + "</ListBucketResult>"))
}

fn xml(text: &str) -> Response {
    Response::builder().content_type("application/xml").body(text.to_owned())
}

fn plain(status: StatusCode) -> Response {
    Response::builder().status(status).finish()
}
