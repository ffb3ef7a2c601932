//! What is answered to which prompt?
//!
//! | prompt | answer |
//! |---|---|
//! | `fixture:…`, `bench:…`, `say:…` | as ordered, see [`directive`](crate::directive) |
//! | a call with `videoGen` | progress lines and a video, as `media:…` orders them (see `media_order`) |
//! | draw, paint, 画 … and drawing allowed | two pictures; one when a picture was attached; or as `media:…` orders them |
//! | search, news, 搜索, 新闻 … and search allowed | search cards, results, an answer with a citation |
//! | think, why, 思考, 为什么 … on a thinking model; anything on the heavy one | thinking, then an answer |
//! | anything else | a friendly text, in Chinese if the prompt has Chinese characters |
//!
//! The same question gets the same bytes, except for the names of pictures and videos.

pub(crate) mod bench;
mod cache;
mod chinese;
mod choose;
mod draft;
mod english;
pub(crate) mod fixture;
mod image;
mod language;
mod rendered;
mod search;
pub(crate) mod text;
mod thinking;
mod tokens;
mod video;
mod wire;

pub(crate) use cache::Cache;
pub(crate) use choose::Kind;
pub(crate) use draft::{attachment_error, error_object, overloaded};
pub(crate) use rendered::Rendered;
