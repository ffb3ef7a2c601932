//! What lies on the asset host? Pictures and videos, under every path that an account's answers have named.

use std::collections::HashMap;

use http::{HeaderValue, Response, header};
use parking_lot::Mutex;

use crate::body::SimBody;
use crate::dispatch::{Call, send};
use crate::faults::Spoil;
use crate::file::{self, File};
use crate::identity::{seed, size_mib, user_id};
use crate::plan::Plan;
use crate::refusal::Refusal;

const PICTURES: [&[u8]; 2] = [include_bytes!("../assets/picture-0.jpg"), include_bytes!("../assets/picture-1.jpg")];
const PREVIEW: &[u8] = include_bytes!("../assets/preview.jpg");
const VIDEO: &[u8] = include_bytes!("../assets/video.mp4");
/// Paths whose questions are counted.
const MAX_COUNTED: usize = 500_000;

/// How often each file was asked for, for accounts whose new files are not there at first.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    by_path: Mutex<HashMap<String, u64>>,
}

impl Asked {
    /// Counts one question; how many there were with it.
    fn count(&self, path: &str) -> u64 {
        let mut by_path = self.by_path.lock();
        if by_path.len() >= MAX_COUNTED {
            by_path.clear();
        }
        let count = by_path.entry(path.to_owned()).or_default();
        *count += 1;
        *count
    }
}

/// Answers a download. A path of another account is refused.
pub(crate) async fn answer(call: &Call, spoils: &[Spoil]) -> std::io::Result<Response<SimBody>> {
    let path = call.path.split_once("/users/").map_or("", |(_, path)| path);
    let parts: Vec<&str> = path.split('/').collect();
    let (owner, rest) = match parts.split_first() {
        Some((owner, rest)) => (*owner, rest),
        None => ("", &[][..]),
    };
    if owner != user_id(&call.account.name).to_string() {
        call.state.honeypot.foreign_download();
        return Ok(Refusal::Denied.response(None));
    }
    let Some(file) = find(rest) else { return Ok(Refusal::NotFound.response(None)) };
    for spoil in spoils {
        if let Spoil::Fresh(questions) = spoil
            && call.state.asked.count(path) <= *questions
        {
            return Ok(Refusal::NotFound.response(None));
        }
        if let Some(plan) = spoil.instead_of_a_file().await? {
            return Ok(send(plan, &mut None).await);
        }
    }
    let plan = spoils.iter().fold(plan(file), |plan, spoil| spoil.change(plan));
    Ok(send(plan, &mut None).await)
}

fn find(path: &[&str]) -> Option<(&'static str, File)> {
    Some(match path {
        ["generated", asset, "image.jpg"] => ("image/jpeg", file::picture(picture(asset), size_mib(asset))),
        ["generated", _, "preview_image.jpg"] => ("image/jpeg", file::picture(PREVIEW, None)),
        ["generated", asset, "generated_video.mp4"] => ("video/mp4", file::video(VIDEO, size_mib(asset))),
        [upload, "content"] => ("image/jpeg", file::picture(picture(upload), None)),
        _ => return None,
    })
}

fn picture(asset: &str) -> &'static [u8] {
    PICTURES[usize::from(seed(asset) % 2 == 1)]
}

fn plan((content_type, file): (&'static str, File)) -> Plan {
    let mut plan = Plan::pieces(file.pieces);
    plan.end = file.end;
    plan.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    plan.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.bytes));
    plan.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    plan
}
