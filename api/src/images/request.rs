//! `POST /v1/images/generations` and `POST /v1/images/edits`: what clients send.

use poem_openapi::Object;
use serde::Deserialize;

use crate::chat::request::ImageUrl;
use crate::form::Form;
use crate::json_type::Ignored;

/// A request for pictures. Members that are not listed are ignored.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct CreateImage {
    /// What to draw, 1 to 32,000 characters.
    #[oai(validator(min_length = 1, max_length = 32000))]
    pub prompt: String,
    /// Id of a model of `/v1/models` that draws; without it the one of the settings.
    #[oai(nullable)]
    pub model: Option<String>,
    /// Number of pictures, 1 to 10.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "10")))]
    pub n: Option<i64>,
    /// `auto` or `WIDTHxHEIGHT`; decides about the shape: the upstream takes no sizes.
    #[oai(nullable)]
    pub size: Option<String>,
    /// `url` or `b64_json`.
    #[oai(nullable)]
    pub response_format: Option<String>,
    /// `jpeg`, which is what the upstream gives; others are refused.
    #[oai(nullable)]
    pub output_format: Option<String>,
    /// `auto` or `opaque`; `transparent` is refused.
    #[oai(nullable)]
    pub background: Option<String>,
    /// Whether to stream the pictures as server-sent events, each when it is ready.
    #[oai(nullable)]
    pub stream: Option<bool>,
    /// Checked (0 to 3) and ignored: the upstream's drafts are not passed on.
    #[oai(nullable, validator(minimum(value = "0"), maximum(value = "3")))]
    pub partial_images: Option<i64>,
    /// Checked and ignored.
    #[oai(nullable)]
    pub quality: Option<String>,
    /// Ignored.
    #[oai(nullable)]
    pub output_compression: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub style: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub moderation: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub user: Option<Ignored>,
}

/// A request to change pictures. As a form, the pictures are files of the field `image`, which may be repeated and may be
/// called `image[]`, and all other values are text.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct CreateImageEdit {
    /// What to change, 1 to 32,000 characters.
    #[oai(validator(min_length = 1, max_length = 32000))]
    pub prompt: String,
    /// The pictures, 1 to 8; as a form, see there.
    #[oai(nullable, validator(max_items = 8))]
    pub images: Option<Vec<PictureIn>>,
    /// Refused: the upstream decides by the words what to change.
    #[oai(nullable)]
    pub mask: Option<Ignored>,
    /// Id of a model of `/v1/models` that draws; without it the one of the settings.
    #[oai(nullable)]
    pub model: Option<String>,
    /// Number of pictures, 1 to 10.
    #[oai(nullable, validator(minimum(value = "1"), maximum(value = "10")))]
    pub n: Option<i64>,
    /// `auto` or `WIDTHxHEIGHT`; decides about the shape: the upstream takes no sizes.
    #[oai(nullable)]
    pub size: Option<String>,
    /// `url` or `b64_json`.
    #[oai(nullable)]
    pub response_format: Option<String>,
    /// `jpeg`, which is what the upstream gives; others are refused.
    #[oai(nullable)]
    pub output_format: Option<String>,
    /// `auto` or `opaque`; `transparent` is refused.
    #[oai(nullable)]
    pub background: Option<String>,
    /// Whether to stream the pictures as server-sent events, each when it is ready.
    #[oai(nullable)]
    pub stream: Option<bool>,
    /// Checked (0 to 3) and ignored: the upstream's drafts are not passed on.
    #[oai(nullable, validator(minimum(value = "0"), maximum(value = "3")))]
    pub partial_images: Option<i64>,
    /// Checked and ignored.
    #[oai(nullable)]
    pub quality: Option<String>,
    /// Ignored.
    #[oai(nullable)]
    pub output_compression: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub input_fidelity: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub moderation: Option<Ignored>,
    /// Ignored.
    #[oai(nullable)]
    pub user: Option<Ignored>,
}

/// A picture of a request, by its address.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct PictureIn {
    /// An `https` address or a `data:` URL.
    #[oai(nullable)]
    pub image_url: Option<ImageUrl>,
    /// Refused: files are not stored.
    #[oai(nullable)]
    pub file_id: Option<String>,
}

impl Form for CreateImageEdit {
    const NUMBERS: &'static [&'static str] = &["n", "partial_images", "output_compression"];
    const FLAGS: &'static [&'static str] = &["stream"];
    const TEXTS: &'static [&'static str] = &[
        "prompt",
        "model",
        "size",
        "response_format",
        "output_format",
        "background",
        "quality",
        "input_fidelity",
        "moderation",
        "user",
    ];
    const REQUIRED: &'static [&'static str] = &["prompt"];
    const FILES: &'static [(&'static str, bool)] = &[("image", false), ("image[]", true)];
}
