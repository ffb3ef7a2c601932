//! How do pictures come? An unfinished frame, the finished one, and their addresses at the end.

use serde_json::json;

use super::draft::{Draft, Extras, Kind};
use super::rendered::Rendered;
use super::text::{about, phrases};
use crate::identity::{seed, user_id};
use crate::turn::ChatBody;

/// How many paced lines' time a frame takes.
const SLOWNESS: u32 = 6;

/// New pictures, or one changed picture if one was attached. `call` makes their names new each time.
pub(crate) fn answer(turn: &ChatBody, account: &str, call: u64) -> Rendered {
    let mut draft = Draft::new(turn, seed(&(&turn.message, account, call, "pictures")));
    draft.stretch(SLOWNESS);
    let (prompt, edit) = (turn.prompt(), !turn.file_attachments.is_empty());
    let count = if edit { 1 } else { turn.pictures() };
    let phrases = phrases(prompt);
    draft.event(json!({"imageAttachmentInfo": {"imageAttachmentCount": count}}), Kind::default());
    draft.token(&about(if edit { phrases.edited } else { phrases.pictures }, prompt));
    let user = user_id(account);
    let pictures: Vec<String> = (0..count).map(|index| draft.id(&format!("picture {index}")).to_string()).collect();
    for (index, picture) in pictures.iter().enumerate() {
        frame(&mut draft, &format!("users/{user}/generated"), &format!("{picture}-part-0"), index, 50);
    }
    for (index, picture) in pictures.iter().enumerate() {
        frame(&mut draft, &format!("users/{user}/generated"), picture, index, 100);
    }
    let images = pictures.iter().map(|picture| format!("users/{user}/generated/{picture}/image.jpg")).collect();
    draft.finish(&Extras { images, ..Extras::default() })
}

fn frame(draft: &mut Draft<'_>, folder: &str, picture: &str, index: usize, progress: u8) {
    let frame = json!({
        "imageId": picture, "imageUrl": format!("{folder}/{picture}/image.jpg"), "seq": progress / 100, "progress": progress,
        "moderated": false, "imageIndex": index, "assetId": picture, "imageModel": "imagine", "rRated": false,
    });
    draft.event(json!({"streamingImageGenerationResponse": frame}), Kind::default());
}
