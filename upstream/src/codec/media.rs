//! Pictures and videos of an answer: which are finished, and which are withheld (rules R12 and R13).

use std::collections::HashSet;
use std::sync::Arc;

use xxhash_rust::xxh64::xxh64;

use super::record::{ImageFrame, VideoFrame};
use crate::asset::{self, AssetPath};
use crate::event::{ChatEvent, EventSink, FinishReason};

/// Pictures of one answer.
const MAX_IMAGES: usize = 256;
/// Videos of one answer.
const MAX_VIDEOS: usize = 16;
/// Withheld pictures that are remembered.
const MAX_WITHHELD: usize = 4096;

/// The media of one answer. Nothing is given out before the end: a later frame may still withhold it.
pub(super) struct Media {
    asset_hosts: Arc<[Box<str>]>,
    /// From `modelResponse`.
    listed: Vec<AssetPath>,
    /// From finished frames.
    streamed: Vec<AssetPath>,
    withheld: Withheld,
    videos: Vec<AssetPath>,
    video_withheld: bool,
    video_progress: Option<u8>,
}

impl Media {
    pub(super) fn new(asset_hosts: Arc<[Box<str>]>) -> Self {
        Self {
            asset_hosts,
            listed: Vec::new(),
            streamed: Vec::new(),
            withheld: Withheld::default(),
            videos: Vec::new(),
            video_withheld: false,
            video_progress: None,
        }
    }

    /// Takes a picture in some state of completion.
    pub(super) fn image_frame(&mut self, frame: &ImageFrame<'_>) {
        let path = asset::normalize(&self.asset_hosts, frame.path.as_str()).ok();
        if frame.moderated.0 {
            self.withheld.add(frame.id.non_empty(), path.as_ref());
        } else if let Some(path) = path
            && frame.progress.0.is_none_or(|progress| progress >= 100)
        {
            push_new(&mut self.streamed, path, MAX_IMAGES);
        }
    }

    /// Takes the final list of pictures.
    pub(super) fn image_list<'a>(&mut self, addresses: impl IntoIterator<Item = &'a str>) {
        let mut listed = Vec::new();
        for address in addresses {
            if let Ok(path) = asset::normalize(&self.asset_hosts, address) {
                push_new(&mut listed, path, MAX_IMAGES);
            }
        }
        if !listed.is_empty() {
            self.listed = listed;
        }
    }

    /// Takes a video in some state of completion; whether it is finished or withheld.
    pub(super) fn video_frame(&mut self, frame: &VideoFrame<'_>, sink: &mut dyn EventSink) -> bool {
        let progress = frame.progress.0.unwrap_or(0);
        let percent = u8::try_from(progress.clamp(0, 100)).unwrap_or(100);
        if self.video_progress.is_none_or(|last| percent > last) {
            self.video_progress = Some(percent);
            sink.event(ChatEvent::VideoProgress(percent));
        }
        if frame.moderated.0 {
            self.video_withheld = true;
            return true;
        }
        let finished = asset::normalize(&self.asset_hosts, frame.path.as_str()).ok().filter(|_| progress >= 100);
        let is_finished = finished.is_some();
        if let Some(path) = finished {
            push_new(&mut self.videos, path, MAX_VIDEOS);
        }
        is_finished
    }

    /// Gives out what is finished and not withheld; how the answer ends with that (R15).
    pub(super) fn finish(&mut self, sink: &mut dyn EventSink) -> FinishReason {
        let images = if self.listed.is_empty() { &self.streamed } else { &self.listed };
        let mut none_left = self.videos.is_empty();
        for image in images.iter().filter(|image| !is_part(image) && !self.withheld.contains(image)) {
            none_left = false;
            give_out(image, |path| sink.event(ChatEvent::Image(path)));
        }
        for video in &self.videos {
            give_out(video, |path| sink.event(ChatEvent::Video(path)));
        }
        if none_left && (self.video_withheld || self.withheld.count() > 0) {
            FinishReason::ContentFilter
        } else {
            FinishReason::Stop
        }
    }

    /// Number of distinct pictures withheld.
    pub(super) fn withheld_images(&self) -> usize {
        self.withheld.count()
    }

    /// Bytes of memory that are held.
    pub(super) fn held_bytes(&self) -> usize {
        let lists = [&self.listed, &self.streamed, &self.videos];
        let paths: usize = lists.iter().flat_map(|list| list.iter()).map(|path| path.as_str().len()).sum();
        let slots: usize = lists.iter().map(|list| list.capacity() * size_of::<AssetPath>()).sum();
        paths + slots + (self.withheld.marks.capacity() + self.withheld.pictures.capacity()) * size_of::<u64>()
    }
}

fn push_new(list: &mut Vec<AssetPath>, path: AssetPath, most: usize) {
    if list.len() < most && list.iter().all(|known| known.as_str() != path.as_str()) {
        list.push(path);
    }
}

/// With its query, if it has one: the request for the file needs that.
fn give_out(path: &AssetPath, emit: impl FnOnce(&str)) {
    match path.query() {
        None => emit(path.as_str()),
        Some(query) => emit(&format!("{}?{query}", path.as_str())),
    }
}

/// Whether this is an unfinished frame, by its directory's name.
fn is_part(path: &AssetPath) -> bool {
    path.as_str().rsplit('/').skip(1).any(|directory| without_part(directory).len() < directory.len())
}

/// The name of a picture without the `-part-N` of an unfinished frame.
fn without_part(name: &str) -> &str {
    match name.rsplit_once("-part-") {
        Some((picture, number)) if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) => picture,
        Some(_) | None => name,
    }
}

/// The pictures that must not be delivered.
#[derive(Default)]
struct Withheld {
    /// Hashes of paths, or of picture ids where a frame had no path.
    marks: HashSet<u64>,
    /// Hashes of what tells pictures apart, whichever frame of them it was.
    pictures: HashSet<u64>,
    /// More than can be remembered: then none is delivered.
    all: bool,
}

impl Withheld {
    fn add(&mut self, id: Option<&str>, path: Option<&AssetPath>) {
        let path = path.map(AssetPath::as_str);
        let directory = path.and_then(|path| path.rsplit('/').nth(1));
        let Some(mark) = path.or(id) else { return };
        if self.marks.len() == MAX_WITHHELD {
            self.all = true;
            return;
        }
        self.marks.insert(hash(mark));
        self.pictures.insert(hash(id.or(directory).map_or(mark, without_part)));
    }

    fn contains(&self, path: &AssetPath) -> bool {
        self.all
            || self.marks.contains(&hash(path.as_str()))
            || path.as_str().split('/').any(|segment| self.marks.contains(&hash(segment)))
    }

    fn count(&self) -> usize {
        self.pictures.len()
    }
}

fn hash(text: &str) -> u64 {
    xxh64(text.as_bytes(), 0)
}
