//! The paid call of a job: announced before it leaves, followed to its end, its results put on record in one commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use grok2api_entity::asset::Kind as AssetKind;
use grok2api_entity::failure::Code;
use grok2api_entity::generation::Kind;
use grok2api_entity::job::Step;
use grok2api_gateway::media::{AspectRatio, MediaKind, MediaRequest};
use grok2api_gateway::{ChatStream, Step as StreamStep, Stopped, Submission};
use grok2api_media::{NewAsset, register};
use grok2api_pool::{AccountId, Caller, Class};
use grok2api_queue::{Claimed, End, Failure, Lost, Note, PICTURES_A_TURN, failpoint};
use grok2api_upstream::asset::{AssetPath, normalize};
use grok2api_upstream::attachment::Attachment;
use grok2api_upstream::event::FinishReason;
use sea_orm::DbErr;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::generate::{Generate, Task};
use crate::outcome::{again, failed, of_gateway, of_stream};
use crate::sink::MediaSink;

/// Largest picture that is sent along, in bytes.
const MAX_INPUT: u64 = 50 << 20;
/// Progress is written down this often at most, unless it has come far.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// Percent that are far.
const FAR: u8 = 5;
/// Name of a video's file, and of the still picture beside it (protocol page "grok-web-media" §2).
const VIDEO_FILE: &str = "generated_video.mp4";
const PREVIEW_FILE: &str = "preview_image.jpg";

/// Puts each attempt on record before it leaves.
struct Recorder<'a> {
    job: Mutex<&'a mut Claimed>,
    /// The attempt that is on record and whose outcome is not; 0 when there is none.
    open: AtomicI32,
}

#[async_trait]
impl Submission for Recorder<'_> {
    async fn sending(&self, account: AccountId, attempt: u32) -> Result<(), Stopped> {
        failpoint::hit("before_sending").await;
        let note = Note {
            step: Some(Step::Sending),
            account_id: Some(account),
            attempt: Some(i32::try_from(attempt).unwrap_or(i32::MAX)),
            ..Note::default()
        };
        let number = note.attempt.unwrap_or_default();
        self.job.lock().await.note(note).await.map_err(|Lost| Stopped)?;
        self.open.store(number, Ordering::Relaxed);
        failpoint::hit("after_sending").await;
        Ok(())
    }

    async fn settled(&self, _account: AccountId, attempt: u32, outcome: &'static str) -> Result<(), Stopped> {
        let number = i32::try_from(attempt).unwrap_or(i32::MAX);
        let note =
            Note { step: Some(Step::Start), attempt_outcome: Some((number, outcome.to_owned())), ..Note::default() };
        self.open.store(0, Ordering::Relaxed);
        self.job.lock().await.note(note).await.map_err(|Lost| Stopped)
    }
}

impl Generate {
    /// Makes the call and puts its results on record.
    pub(crate) async fn submit(&self, job: &mut Claimed, task: &Task) -> Result<End, Lost> {
        if job.draining().is_cancelled() {
            return Ok(End::HandOver);
        }
        let request = match self.request(job, task).await {
            Ok(request) => request,
            Err(end) => return Ok(end),
        };
        let prepared = match self.shop.gateway.prepare_media(&request) {
            Ok(prepared) => prepared.asked_by(caller(&task.generation.owner)),
            Err(error) => return Ok(of_gateway(job.row(), &error)),
        };
        drop(request);
        let recorder = Recorder { job: Mutex::new(job), open: AtomicI32::new(0) };
        let submitted = self.shop.gateway.submit(&prepared, MediaSink::default(), &recorder).await;
        let open = recorder.open.into_inner();
        let job = recorder.job.into_inner();
        failpoint::hit("after_send").await;
        let mut stream = match submitted {
            Ok(stream) => stream,
            Err(error) => {
                if open > 0 {
                    let attempt_outcome = Some((open, error.kind().to_owned()));
                    job.note(Note { attempt_outcome, ..Note::default() }).await?;
                }
                return Ok(of_gateway(job.row(), &error));
            }
        };
        let upstream_id = stream.upstream_id().map(str::to_owned);
        job.note(Note { step: Some(Step::Submitted), upstream_id, ..Note::default() }).await?;
        failpoint::hit("after_submitted").await;
        let followed = follow(job, &mut stream).await?;
        let attempt = i32::try_from(stream.facts().attempts).unwrap_or(i32::MAX);
        let account = stream.facts().account;
        let result = match followed {
            Ok(()) => self.results(task, stream.into_sink()),
            Err(error) => Err(of_stream(&error)),
        };
        match result {
            Ok(paths) => {
                failpoint::hit("before_archiving").await;
                self.record(job, task, account, attempt, &paths).await?;
                failpoint::hit("after_archiving").await;
                self.archive(job, task).await
            }
            Err(end) => {
                let outcome = match &end {
                    End::Failed(failure) => failure.code.as_str(),
                    End::Completed | End::Again { .. } | End::HandOver => "again",
                };
                let note = Note { attempt_outcome: Some((attempt, outcome.to_owned())), ..Note::default() };
                job.note(note).await?;
                Ok(end)
            }
        }
    }

    /// What is asked for, with the pictures that came along.
    async fn request(&self, job: &Claimed, task: &Task) -> Result<MediaRequest, End> {
        let mut attachments = Vec::with_capacity(task.order.inputs.len());
        for (number, id) in (1..).zip(&task.order.inputs) {
            let bytes = match self.shop.media.read_input(*id, MAX_INPUT).await {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::warn!(job = %job.row().id, error = %error, "a picture that came along cannot be read");
                    let failure = Failure::new(error.code(), "A picture of the request cannot be read any more.");
                    let end = if error.is_temporary() {
                        again(job.row(), Step::Start, failure)
                    } else {
                        End::Failed(failure)
                    };
                    return Err(end);
                }
            };
            let Some((mime_type, ending)) = picture_type(&bytes) else {
                return Err(failed(Code::InvalidRequest, "A picture of the request is of no type that can be sent."));
            };
            attachments.push(Attachment { file_name: format!("image-{number}.{ending}"), mime_type, bytes });
        }
        let size = task.order.size.as_deref();
        let kind = match task.generation.kind {
            Kind::Image => MediaKind::ImageGenerate,
            Kind::Edit => MediaKind::ImageEdit,
            Kind::Video => MediaKind::Video,
        };
        let aspect_ratio = if kind == MediaKind::Video { None } else { size.and_then(AspectRatio::of_size) };
        let model = Some(task.generation.model.clone()).filter(|model| !model.is_empty());
        Ok(MediaRequest { kind, model, prompt: task.generation.prompt.clone(), attachments, aspect_ratio })
    }

    /// The results as kinds and paths, or how the job ends without any.
    fn results(&self, task: &Task, sink: MediaSink) -> Result<Vec<(AssetKind, AssetPath)>, End> {
        let withheld = sink.finish == Some(FinishReason::ContentFilter);
        let is_video = task.generation.kind == Kind::Video;
        let kind = if is_video { AssetKind::Video } else { AssetKind::Image };
        let named = if is_video { sink.videos } else { sink.images };
        let hosts = self.shop.gateway.asset_hosts();
        let mut paths: Vec<(AssetKind, AssetPath)> = Vec::new();
        for path in named.iter().filter_map(|path| normalize(hosts, path).ok()).take(usize::from(task.turn.want)) {
            let preview = path.as_str().strip_suffix(VIDEO_FILE).map(|folder| format!("{folder}{PREVIEW_FILE}"));
            paths.push((kind, path));
            if let Some(Ok(preview)) = preview.filter(|_| is_video).map(|preview| normalize(hosts, &preview)) {
                paths.push((AssetKind::Preview, preview));
            }
        }
        if !paths.is_empty() {
            return Ok(paths);
        }
        if withheld {
            return Err(failed(Code::ContentPolicyViolation, "The upstream withheld the result."));
        }
        let (code, what) =
            if is_video { (Code::NoVideoGenerated, "a video") } else { (Code::NoImageGenerated, "a picture") };
        Err(failed(code, format!("The upstream answered without {what}: {}", sink.text.trim())))
    }

    /// The results become known, and the job comes to its next step: one commit.
    async fn record(
        &self,
        job: &mut Claimed,
        task: &Task,
        account: Option<AccountId>,
        attempt: i32,
        paths: &[(AssetKind, AssetPath)],
    ) -> Result<(), Lost> {
        let first = i32::from(task.turn.index) * i32::from(PICTURES_A_TURN);
        let note =
            Note { step: Some(Step::Archiving), attempt_outcome: Some((attempt, "ok".to_owned())), ..Note::default() };
        let owner: Arc<str> = task.generation.owner.as_str().into();
        let (generation, account) = (task.generation.id, account);
        let paths: Arc<[(AssetKind, AssetPath)]> = paths.into();
        job.step_with(note, move |tx| {
            let (owner, paths) = (Arc::clone(&owner), Arc::clone(&paths));
            Box::pin(async move {
                for (ordinal, (kind, source)) in (first..).zip(paths.iter()) {
                    let asset = NewAsset {
                        kind: *kind,
                        source,
                        account_id: account,
                        owner: &owner,
                        generation_id: Some(generation),
                        ordinal,
                    };
                    register(tx, asset).await.map_err(|error| DbErr::Custom(error.to_string()))?;
                }
                Ok(())
            })
        })
        .await
    }
}

/// Reads an answer to its end, passing its progress on.
async fn follow(
    job: &mut Claimed,
    stream: &mut ChatStream<MediaSink>,
) -> Result<Result<(), grok2api_upstream::error::UpstreamError>, Lost> {
    let (mut told, mut written, mut written_at) = (0_u8, 0_u8, Instant::now());
    let mut named = stream.upstream_id().is_some();
    loop {
        match stream.step().await {
            Ok(StreamStep::Finished) => return Ok(Ok(())),
            Ok(StreamStep::More) => {}
            Err(error) => return Ok(Err(error)),
        }
        if !named && let Some(id) = stream.upstream_id() {
            named = true;
            job.note(Note { upstream_id: Some(id.to_owned()), ..Note::default() }).await?;
        }
        // Not done before the bytes are here.
        let progress = stream.sink_mut().progress.min(99);
        if progress == told {
            continue;
        }
        told = progress;
        if progress >= written.saturating_add(FAR) || written_at.elapsed() >= WRITE_EVERY {
            (written, written_at) = (progress, Instant::now());
            job.note(Note { progress: Some(i32::from(progress)), ..Note::default() }).await?;
        } else {
            job.tell_progress(i32::from(progress)).await;
        }
    }
}

/// Type and usual ending of a picture, by its first bytes.
fn picture_type(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(("image/png", "png")),
        [0xff, 0xd8, 0xff, ..] => Some(("image/jpeg", "jpg")),
        [b'G', b'I', b'F', b'8', ..] => Some(("image/gif", "gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("image/webp", "webp")),
        _ => None,
    }
}

/// Whose job it is: the first digits of what the client key's work is filed under.
fn caller(owner: &str) -> Caller {
    let digits = owner.strip_prefix("key_").and_then(|digits| digits.get(..16)).unwrap_or_default();
    Caller { class: Class::Job, key: u64::from_str_radix(digits, 16).unwrap_or(0), conversation: None }
}
