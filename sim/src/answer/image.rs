//! How do pictures come? An unfinished frame, the finished one, and their addresses at the end.

use serde_json::json;

use super::draft::{Draft, Extras, Kind};
use super::rendered::Rendered;
use super::text::{about, phrases};
use crate::identity::{seed, sized, user_id};
use crate::media_order::MediaOrder;
use crate::turn::ChatBody;

/// How many paced lines' time a frame takes.
const SLOWNESS: u32 = 6;

/// New pictures, or one changed picture if one was attached. `call` makes their names new each time.
pub(crate) fn answer(turn: &ChatBody, account: &str, call: u64, order: &MediaOrder) -> Rendered {
    let mut draft = Draft::new(turn, seed(&(&turn.message, account, call, "pictures")));
    draft.stretch(if order.gap.is_some() { 1 } else { SLOWNESS });
    let (prompt, edit) = (turn.prompt(), !turn.file_attachments.is_empty());
    let count = order.files.unwrap_or(if edit { 1 } else { turn.pictures() });
    let phrases = phrases(prompt);
    if count > 0 {
        draft.event(json!({"imageAttachmentInfo": {"imageAttachmentCount": count}}), Kind::default());
    }
    draft.token(&about(if edit { phrases.edited } else { phrases.pictures }, prompt));
    let folder = format!("users/{}/generated", user_id(account));
    let name = |index: usize| sized(draft.id(&format!("picture {index}")), order.mib).to_string();
    let pictures: Vec<String> = (0..count).map(name).collect();
    for (index, picture) in pictures.iter().enumerate() {
        frame(&mut draft, &folder, &format!("{picture}-part-0"), At { index, progress: 50, moderated: false });
    }
    if order.stall {
        return draft.unfinished();
    }
    for (index, picture) in pictures.iter().enumerate() {
        frame(&mut draft, &folder, picture, At { index, progress: 100, moderated: index < order.withheld });
    }
    let shown = pictures.iter().skip(order.withheld);
    let images = shown.map(|picture| format!("{folder}/{picture}/image.jpg")).collect();
    draft.finish(&Extras { images, ..Extras::default() })
}

/// Which picture a frame shows, and in which state.
#[derive(Clone, Copy)]
struct At {
    index: usize,
    progress: u8,
    moderated: bool,
}

fn frame(draft: &mut Draft<'_>, folder: &str, picture: &str, at: At) {
    let frame = json!({
        "imageId": picture, "imageUrl": format!("{folder}/{picture}/image.jpg"), "seq": at.progress / 100,
        "progress": at.progress, "moderated": at.moderated, "imageIndex": at.index, "assetId": picture,
        "imageModel": "imagine", "rRated": false,
    });
    draft.event(json!({"streamingImageGenerationResponse": frame}), Kind::default());
}
