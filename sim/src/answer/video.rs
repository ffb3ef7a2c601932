//! How does a video come? Lines of progress, and its address with the last one.

use serde_json::json;

use super::draft::{Draft, Extras, Kind};
use super::rendered::Rendered;
use super::text::{about, phrases};
use crate::identity::{seed, user_id};
use crate::turn::ChatBody;

/// Progress told before the video is there, in percent.
const PROGRESS: [u8; 7] = [1, 12, 27, 43, 61, 78, 93];
/// How many paced lines' time each of them takes.
const SLOWNESS: u32 = 10;

/// A video. `call` makes its name new each time.
pub(crate) fn answer(turn: &ChatBody, account: &str, call: u64) -> Rendered {
    let mut draft = Draft::new(turn, seed(&(&turn.message, account, call, "video")));
    draft.stretch(SLOWNESS);
    let prompt = turn.prompt();
    let video = draft.id("video").to_string();
    let folder = format!("users/{}/generated/{video}", user_id(account));
    for progress in PROGRESS {
        let line = json!({
            "videoId": video, "progress": progress, "assetId": video, "moderated": false, "mode": "custom",
            "modelName": "imagine", "parentPostId": "", "sideBySideIndex": 0, "rRated": false,
        });
        draft.event(json!({"streamingVideoGenerationResponse": line}), Kind::default());
    }
    let done = json!({
        "videoId": video, "progress": 100, "assetId": video, "moderated": false, "mode": "custom", "modelName": "imagine",
        "parentPostId": "", "sideBySideIndex": 0, "rRated": false, "videoUrl": format!("{folder}/generated_video.mp4"),
        "thumbnailImageUrl": format!("{folder}/preview_image.jpg"), "width": 240, "height": 336, "resolutionName": "480p",
    });
    draft.event(json!({"streamingVideoGenerationResponse": done}), Kind::default());
    draft.token(&about(phrases(prompt).video, prompt));
    draft.finish(&Extras { files: vec![video], ..Extras::default() })
}
