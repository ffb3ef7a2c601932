//! The kinds of jobs there are.

use grok2api_entity::job::Kind;

/// All kinds.
pub const ALL: [Kind; 4] = [Kind::GenerateImage, Kind::GenerateVideo, Kind::CacheMedia, Kind::SweepMedia];

/// The kind of that name.
pub fn parse(name: &str) -> Option<Kind> {
    ALL.into_iter().find(|kind| kind.as_str() == name)
}
