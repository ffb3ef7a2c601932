//! How does a video come? Lines of progress, and its address with the last one.

use serde_json::json;

use super::draft::{Draft, Extras, Kind};
use super::rendered::Rendered;
use super::text::{about, phrases};
use crate::identity::{seed, sized, user_id};
use crate::media_order::MediaOrder;
use crate::turn::ChatBody;

/// Progress told before the video is there, in percent.
const PROGRESS: [u8; 7] = [1, 12, 27, 43, 61, 78, 93];
/// How many paced lines' time each of them takes.
const SLOWNESS: u32 = 10;

/// A video. `call` makes its name new each time.
pub(crate) fn answer(turn: &ChatBody, account: &str, call: u64, order: &MediaOrder) -> Rendered {
    let mut draft = Draft::new(turn, seed(&(&turn.message, account, call, "video")));
    draft.stretch(if order.gap.is_some() { 1 } else { SLOWNESS });
    let prompt = turn.prompt();
    let video = sized(draft.id("video"), order.mib).to_string();
    let folder = format!("users/{}/generated/{video}", user_id(account));
    for progress in order.steps.map_or(PROGRESS.to_vec(), steps) {
        frame(&mut draft, json!({"videoId": video, "progress": progress, "assetId": video, "moderated": false}));
    }
    if order.stall {
        return draft.unfinished();
    }
    if order.files == Some(0) {
        draft.token(&about(phrases(prompt).video, prompt));
        return draft.finish(&Extras::default());
    }
    if order.withheld > 0 {
        frame(&mut draft, json!({"videoId": video, "progress": 100, "assetId": video, "moderated": true}));
        return draft.finish(&Extras::default());
    }
    let done = json!({
        "videoId": video, "progress": 100, "assetId": video, "moderated": false,
        "videoUrl": format!("{folder}/generated_video.mp4"), "thumbnailImageUrl": format!("{folder}/preview_image.jpg"),
        "width": 240, "height": 336, "resolutionName": "480p",
    });
    frame(&mut draft, done);
    draft.token(&about(phrases(prompt).video, prompt));
    draft.finish(&Extras { files: vec![video], ..Extras::default() })
}

/// So many percentages between 1 and 99, rising.
fn steps(count: usize) -> Vec<u8> {
    (0..count).map(|step| u8::try_from(1 + step * 98 / count).unwrap_or(99)).collect()
}

fn frame(draft: &mut Draft<'_>, mut line: serde_json::Value) {
    for (name, value) in [
        ("mode", json!("custom")),
        ("modelName", json!("imagine")),
        ("parentPostId", json!("")),
        ("sideBySideIndex", json!(0)),
        ("rRated", json!(false)),
    ] {
        line[name] = value;
    }
    draft.event(json!({"streamingVideoGenerationResponse": line}), Kind::default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordered_steps_rise() {
        assert_eq!(steps(3), [1, 33, 66]);
        let most = steps(90);
        assert!(most.len() == 90 && most.windows(2).all(|pair| pair[0] < pair[1]) && most.last() < Some(&100));
    }
}
