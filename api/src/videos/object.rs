//! How a video looks to clients.

use grok2api_entity::generation::{self, State};
use grok2api_queue::Order;
use poem_openapi::payload::Json;
use poem_openapi::{ApiResponse, Object};

use super::request::{USUAL_SECONDS, USUAL_SIZE};
use crate::failure;

/// A client that asks for progress should wait this long in between, in milliseconds.
const POLL_AFTER_MS: u64 = 2000;
const DAY_SECS: i64 = 86_400;

/// A video and how far it is.
#[derive(Debug, Default, PartialEq, Object)]
#[oai(read_only_all)]
pub(crate) struct Video {
    /// `video_…`
    pub id: String,
    /// `video`
    pub object: String,
    /// The model that makes it.
    pub model: String,
    /// `queued`, `in_progress`, `completed` or `failed`.
    pub status: String,
    /// Percent.
    pub progress: i32,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds; null while it is not completed.
    #[oai(nullable)]
    pub completed_at: Option<i64>,
    /// Unix seconds: it may be gone then. Null while it is not completed.
    #[oai(nullable)]
    pub expires_at: Option<i64>,
    /// What was asked for.
    pub prompt: String,
    /// The size that was asked for or else the usual one; the upstream decides.
    pub size: String,
    /// The length that was asked for or else the usual one; the upstream decides.
    pub seconds: String,
    /// Always null.
    #[oai(nullable)]
    pub remixed_from_video_id: Option<String>,
    /// Why it failed.
    #[oai(nullable)]
    pub error: Option<VideoError>,
}

/// Why a video failed.
#[derive(Debug, Default, PartialEq, Object)]
#[oai(read_only_all)]
pub(crate) struct VideoError {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A page of videos.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct VideoList {
    /// `list`
    pub object: String,
    /// The videos.
    pub data: Vec<Video>,
    /// Id of the first one.
    #[oai(nullable)]
    pub first_id: Option<String>,
    /// Id of the last one, to ask for what comes `after`.
    #[oai(nullable)]
    pub last_id: Option<String>,
    /// Whether there are more.
    pub has_more: bool,
}

/// What is left of a deleted video.
#[derive(Debug, Default, Object)]
#[oai(read_only_all)]
pub(crate) struct DeletedVideo {
    /// Its id.
    pub id: String,
    /// `video.deleted`
    pub object: String,
    /// `true`
    pub deleted: bool,
}

/// A video.
#[derive(ApiResponse)]
pub(crate) enum VideoAnswer {
    /// A video.
    #[oai(status = 200)]
    Video(
        Json<Video>,
        /// Milliseconds to wait before asking again, while it is being made.
        #[oai(header = "openai-poll-after-ms")]
        Option<u64>,
        /// `true` when an earlier request with the same `Idempotency-Key` made it.
        #[oai(header = "idempotent-replayed")]
        Option<String>,
        /// Parameters that were ignored.
        #[oai(header = "x-grok2api-ignored")]
        Option<String>,
    ),
}

impl VideoAnswer {
    pub(super) fn of(row: &generation::Model, keep_days: u64, replayed: bool, ignored: &[&'static str]) -> Self {
        let video = Video::of(row, keep_days);
        let is_open = matches!(row.state, State::Queued | State::InProgress);
        Self::Video(
            Json(video),
            is_open.then_some(POLL_AFTER_MS),
            replayed.then(|| "true".to_owned()),
            (!ignored.is_empty()).then(|| ignored.join(",")),
        )
    }
}

impl Video {
    pub(super) fn of(row: &generation::Model, keep_days: u64) -> Self {
        let order: Order = serde_json::from_str(&row.request).unwrap_or_default();
        let error = matches!(row.state, State::Failed | State::Cancelled).then(|| {
            let body = failure::of_generation(row).body;
            VideoError { code: body.code.unwrap_or_default(), message: body.message }
        });
        let completed_at = row.completed_at.filter(|_| row.state == State::Completed).map(|at| at / 1000);
        let kept = DAY_SECS.saturating_mul(i64::try_from(keep_days).unwrap_or(i64::MAX));
        Self {
            id: row.public_id.clone(),
            object: "video".to_owned(),
            model: row.model.clone(),
            status: status(row.state).to_owned(),
            progress: row.progress,
            created_at: row.created_at / 1000,
            completed_at,
            expires_at: completed_at.map(|at| at.saturating_add(kept)),
            prompt: row.prompt.clone(),
            size: order.size.unwrap_or_else(|| USUAL_SIZE.to_owned()),
            seconds: order.seconds.unwrap_or_else(|| USUAL_SECONDS.to_owned()),
            remixed_from_video_id: None,
            error,
        }
    }
}

/// OpenAI's clients know four states: a cancelled video is a failed one.
fn status(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::InProgress => "in_progress",
        State::Completed => "completed",
        State::Failed | State::Cancelled => "failed",
    }
}

impl VideoList {
    /// A page of at most `limit`, out of one row more.
    pub(super) fn of(mut rows: Vec<generation::Model>, limit: usize, keep_days: u64) -> Self {
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let data: Vec<Video> = rows.iter().map(|row| Video::of(row, keep_days)).collect();
        Self {
            object: "list".to_owned(),
            first_id: data.first().map(|video| video.id.clone()),
            last_id: data.last().map(|video| video.id.clone()),
            has_more,
            data,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use grok2api_entity::generation::Kind;
    use poem_openapi::types::ToJSON;
    use uuid::Uuid;

    fn row(state: State) -> generation::Model {
        generation::Model {
            id: Uuid::nil(),
            public_id: "video_1".to_owned(),
            kind: Kind::Video,
            model: "grok-imagine-0.9".to_owned(),
            owner: "key_1".to_owned(),
            prompt: "The sun rises".to_owned(),
            request: r#"{"n":1,"seconds":"8"}"#.to_owned(),
            state,
            progress: 42,
            pending: 1,
            error_code: None,
            error_message: None,
            created_at: 1_761_189_611_500,
            completed_at: None,
            deleted_at: None,
        }
    }

    #[test]
    fn all_members_are_always_there() {
        let json = Video::of(&row(State::InProgress), 30).to_json().unwrap();
        let expected = serde_json::json!({
            "id": "video_1", "object": "video", "model": "grok-imagine-0.9", "status": "in_progress", "progress": 42,
            "created_at": 1_761_189_611, "completed_at": null, "expires_at": null, "prompt": "The sun rises",
            "size": "720x1280", "seconds": "8", "remixed_from_video_id": null, "error": null
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn a_video_that_failed_says_why_and_has_not_completed() {
        let mut failed = row(State::Failed);
        failed.completed_at = Some(1_761_189_700_000);
        failed.error_code = Some("content_policy_violation".to_owned());
        failed.error_message = Some("The upstream refused it.".to_owned());
        let video = Video::of(&failed, 30);
        assert_eq!((video.status.as_str(), video.completed_at), ("failed", None));
        assert_eq!(video.error.unwrap().code, "content_policy_violation");
        let cancelled = Video::of(&row(State::Cancelled), 30);
        assert_eq!((cancelled.status.as_str(), cancelled.error.unwrap().code.as_str()), ("failed", "cancelled"));
    }

    #[test]
    fn a_completed_video_says_how_long_it_is_kept() {
        let mut completed = row(State::Completed);
        completed.completed_at = Some(1_761_189_700_000);
        assert_eq!(Video::of(&completed, 2).expires_at, Some(1_761_189_700 + 172_800));
    }

    #[test]
    fn a_page_knows_whether_more_follows() {
        let rows = vec![row(State::Queued), row(State::Queued), row(State::Queued)];
        let page = VideoList::of(rows.clone(), 2, 30);
        assert_eq!((page.data.len(), page.has_more, page.last_id.as_deref()), (2, true, Some("video_1")));
        assert!(!VideoList::of(rows, 3, 30).has_more);
        assert_eq!(VideoList::of(Vec::new(), 3, 30).first_id, None);
    }
}
