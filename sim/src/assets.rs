//! What lies on the asset host? Two pictures and a video, under every path that an account's answers have named.

use bytes::Bytes;
use http::{HeaderValue, Response, header};

use crate::body::SimBody;
use crate::dispatch::Call;
use crate::identity::{seed, user_id};
use crate::refusal::{Refusal, respond};

const PICTURES: [&[u8]; 2] = [include_bytes!("../assets/picture-0.jpg"), include_bytes!("../assets/picture-1.jpg")];
const PREVIEW: &[u8] = include_bytes!("../assets/preview.jpg");
const VIDEO: &[u8] = include_bytes!("../assets/video.mp4");

/// Answers a download. A path of another account is refused.
pub(crate) fn answer(call: &Call) -> Response<SimBody> {
    let path = call.path.split_once("/users/").map_or("", |(_, path)| path);
    let parts: Vec<&str> = path.split('/').collect();
    let (owner, rest) = match parts.split_first() {
        Some((owner, rest)) => (*owner, rest),
        None => ("", &[][..]),
    };
    if owner != user_id(&call.account.name).to_string() {
        return Refusal::Denied.response(None);
    }
    match rest {
        ["generated", asset, "image.jpg"] => file("image/jpeg", picture(asset)),
        ["generated", _, "preview_image.jpg"] => file("image/jpeg", PREVIEW),
        ["generated", _, "generated_video.mp4"] => file("video/mp4", VIDEO),
        [upload, "content"] => file("image/jpeg", picture(upload)),
        _ => Refusal::NotFound.response(None),
    }
}

fn picture(asset: &str) -> &'static [u8] {
    PICTURES[usize::from(seed(asset) % 2 == 1)]
}

fn file(content_type: &'static str, bytes: &'static [u8]) -> Response<SimBody> {
    let mut response = respond(200, content_type, Bytes::from_static(bytes));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    response
}
