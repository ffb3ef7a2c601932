//! From what a client sent to what is drawn: checks, translations, and what is ignored.

use grok2api_config::ImageMode;
use grok2api_gateway::media::{AspectRatio, SIZES};
use serde::Serialize;

use super::request::{CreateImage, CreateImageEdit};
use crate::error::ApiError;

/// Most pictures of one request.
const MAX_PICTURES: i64 = 10;
/// Longest side that a size may name.
const MAX_SIDE: u32 = 16_384;

/// How pictures go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Delivery {
    /// As links.
    Url,
    /// As base64.
    B64Json,
}

impl Delivery {
    /// What the operator has chosen for requests that do not say.
    pub(crate) const fn usual(mode: ImageMode) -> Self {
        match mode {
            ImageMode::Url => Self::Url,
            ImageMode::Base64 => Self::B64Json,
        }
    }

    /// The delivery of that name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Url, Self::B64Json].into_iter().find(|delivery| delivery.as_str() == name)
    }

    /// The name as clients write it and as it is stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::B64Json => "b64_json",
        }
    }
}

/// What is to be drawn. Serialized, it is what makes one request another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Drawing {
    pub(crate) prompt: String,
    /// As the client named it.
    pub(crate) model: Option<String>,
    pub(crate) n: u8,
    /// A size that the gateway knows, of the shape that the client's has.
    pub(crate) size: Option<&'static str>,
    /// As the client asked.
    pub(crate) delivery: Option<Delivery>,
    pub(crate) stream: bool,
    /// Members that were understood and ignored.
    #[serde(skip)]
    pub(crate) ignored: Vec<&'static str>,
}

/// The members that both requests have.
struct Common {
    n: Option<i64>,
    size: Option<String>,
    response_format: Option<String>,
    output_format: Option<String>,
    background: Option<String>,
    quality: Option<String>,
    partial_images: Option<i64>,
}

/// Checks a request for new pictures.
///
/// # Errors
/// 400 for the member at fault.
pub(crate) fn drawing(body: CreateImage) -> Result<Drawing, ApiError> {
    let ignored = vec![
        ("quality", body.quality.is_some()),
        ("background", body.background.is_some()),
        ("partial_images", body.partial_images.is_some_and(|n| n > 0)),
        ("output_compression", body.output_compression.is_some()),
        ("style", body.style.is_some()),
        ("moderation", body.moderation.is_some()),
        ("user", body.user.is_some()),
    ];
    let common = Common {
        n: body.n,
        size: body.size,
        response_format: body.response_format,
        output_format: body.output_format,
        background: body.background,
        quality: body.quality,
        partial_images: body.partial_images,
    };
    checked(body.prompt, body.model, body.stream, &common, ignored)
}

/// Checks a request for changed pictures; the pictures themselves are checked elsewhere.
///
/// # Errors
/// 400 for the member at fault.
pub(crate) fn edit(body: CreateImageEdit) -> Result<Drawing, ApiError> {
    if body.mask.is_some() {
        return Err(no_mask());
    }
    let ignored = vec![
        ("quality", body.quality.is_some()),
        ("background", body.background.is_some()),
        ("partial_images", body.partial_images.is_some_and(|n| n > 0)),
        ("output_compression", body.output_compression.is_some()),
        ("input_fidelity", body.input_fidelity.is_some()),
        ("moderation", body.moderation.is_some()),
        ("user", body.user.is_some()),
    ];
    let common = Common {
        n: body.n,
        size: body.size,
        response_format: body.response_format,
        output_format: body.output_format,
        background: body.background,
        quality: body.quality,
        partial_images: body.partial_images,
    };
    checked(body.prompt, body.model, body.stream, &common, ignored)
}

/// Refuses a mask.
pub(crate) fn no_mask() -> ApiError {
    let message = "'mask' is not supported: say in 'prompt' what is to be changed.";
    ApiError::invalid("mask", "unsupported_parameter", message)
}

fn checked(
    prompt: String,
    model: Option<String>,
    stream: Option<bool>,
    common: &Common,
    ignored: Vec<(&'static str, bool)>,
) -> Result<Drawing, ApiError> {
    let n = common.n.unwrap_or(1);
    let n = u8::try_from(n).ok().filter(|_| (1..=MAX_PICTURES).contains(&n)).ok_or_else(|| {
        let message = format!("Invalid value for 'n': expected a whole number from 1 to {MAX_PICTURES}.");
        ApiError::invalid("n", "invalid_value", message)
    })?;
    if common.partial_images.is_some_and(|n| !(0..=3).contains(&n)) {
        let message = "Invalid value for 'partial_images': expected a whole number from 0 to 3.";
        return Err(ApiError::invalid("partial_images", "invalid_value", message));
    }
    word("quality", common.quality.as_deref(), &["auto", "standard", "hd", "low", "medium", "high", "xhigh", "max"])?;
    word("background", common.background.as_deref(), &["auto", "opaque", "transparent"])?;
    word("output_format", common.output_format.as_deref(), &["jpeg", "png", "webp"])?;
    if common.background.as_deref() == Some("transparent") {
        return Err(unsupported("background", "The upstream's pictures have no transparent parts."));
    }
    if common.output_format.as_deref().is_some_and(|format| format != "jpeg") {
        return Err(unsupported("output_format", "The upstream draws JPEG pictures, and they are not converted."));
    }
    word("response_format", common.response_format.as_deref(), &["url", "b64_json"])?;
    let delivery = common.response_format.as_deref().and_then(Delivery::parse);
    let size = common.size.as_deref().map(size).transpose()?;
    let ignored = ignored.into_iter().filter_map(|(name, sent)| sent.then_some(name)).collect();
    Ok(Drawing { prompt, model, n, size, delivery, stream: stream.unwrap_or(false), ignored })
}

fn word(name: &'static str, value: Option<&str>, known: &[&str]) -> Result<(), ApiError> {
    match value {
        Some(value) if !known.contains(&value) => {
            let message = format!("Invalid value for '{name}': expected one of {}.", known.join(", "));
            Err(ApiError::invalid(name, "invalid_value", message))
        }
        Some(_) | None => Ok(()),
    }
}

fn unsupported(name: &'static str, why: &str) -> ApiError {
    ApiError::invalid(name, "unsupported_value", why)
}

/// The known size whose shape comes closest: the upstream takes shapes, not sizes.
fn size(asked: &str) -> Result<&'static str, ApiError> {
    if let Some((known, _)) = SIZES.iter().find(|(known, _)| *known == asked) {
        return Ok(known);
    }
    let side = |text: &str| text.parse::<u32>().ok().filter(|side| (1..=MAX_SIDE).contains(side));
    let Some((width, height)) = asked.split_once('x').and_then(|(w, h)| Some((side(w)?, side(h)?))) else {
        let message = "Invalid value for 'size': expected 'auto' or WIDTHxHEIGHT, such as 1024x1024.";
        return Err(ApiError::invalid("size", "invalid_value", message));
    };
    let shape = (f64::from(width) / f64::from(height)).ln();
    let distance = |ratio: AspectRatio| (shape_of(ratio) - shape).abs();
    let closest = SIZES.iter().min_by(|(_, one), (_, other)| distance(*one).total_cmp(&distance(*other)));
    Ok(closest.map_or("auto", |(known, _)| known))
}

/// How wide a shape is, so that 2:1 is as far from 1:1 as 1:2 is.
fn shape_of(ratio: AspectRatio) -> f64 {
    let (width, height) = ratio.as_str().split_once(':').unwrap_or(("1", "1"));
    let side = |text: &str| text.parse::<f64>().unwrap_or(1.0);
    (side(width) / side(height)).ln()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::{Value, json};

    fn check(mut body: Value) -> Result<Drawing, (String, String)> {
        body["prompt"] = "a red kite".into();
        let body: CreateImage = serde_json::from_value(body).unwrap();
        drawing(body).map_err(|error| (error.body.param.unwrap(), error.body.code.unwrap()))
    }

    #[test]
    fn what_is_not_sent_has_its_usual_value() {
        let drawing = check(json!({})).unwrap();
        assert_eq!((drawing.n, drawing.size, drawing.delivery, drawing.stream), (1, None, None, false));
        assert!(drawing.ignored.is_empty());
    }

    #[test]
    fn values_are_checked_by_the_table_of_the_protocol_page() {
        for (member, good) in [
            ("n", json!([1, 10])),
            (
                "size",
                json!(["auto", "256x256", "512x512", "1024x1024", "1536x1024", "1024x1536", "1792x1024", "1x9999"]),
            ),
            ("response_format", json!(["url", "b64_json"])),
            ("output_format", json!(["jpeg", null])),
            ("quality", json!(["standard", "hd", "low", "medium", "high", "auto"])),
            ("background", json!(["auto", "opaque"])),
            ("partial_images", json!([0, 3])),
            ("style", json!(["vivid", 7])),
        ] {
            for value in good.as_array().unwrap() {
                assert!(check(json!({ member: value })).is_ok(), "{member} = {value}");
            }
        }
        for (member, bad, code) in [
            ("n", json!([0, 11, -1, 300]), "invalid_value"),
            ("size", json!(["", "big", "1024", "1024x", "0x5", "1024X1024", "99999x1", "1x1x1"]), "invalid_value"),
            ("response_format", json!(["base64", ""]), "invalid_value"),
            ("output_format", json!(["png", "webp"]), "unsupported_value"),
            ("output_format", json!(["gif"]), "invalid_value"),
            ("quality", json!(["best"]), "invalid_value"),
            ("background", json!(["transparent"]), "unsupported_value"),
            ("background", json!(["blue"]), "invalid_value"),
            ("partial_images", json!([-1, 4]), "invalid_value"),
        ] {
            for value in bad.as_array().unwrap() {
                let expected = Err((member.to_owned(), code.to_owned()));
                assert_eq!(check(json!({ member: value })), expected, "{member} = {value}");
            }
        }
    }

    #[test]
    fn a_size_stands_for_its_shape() {
        for (asked, known) in [
            ("auto", "auto"),
            ("1000x1000", "1024x1024"),
            ("1920x1080", "1280x720"),
            ("1080x1920", "720x1280"),
            ("1200x800", "1792x1024"),
            ("800x1200", "1024x1792"),
            ("3000x100", "1280x720"),
            ("1100x1000", "1024x1024"),
        ] {
            assert_eq!(size(asked).unwrap(), known, "{asked}");
        }
    }

    #[test]
    fn what_is_ignored_is_named() {
        let body = json!({
            "quality": "hd", "style": "vivid", "user": "u", "background": "opaque", "moderation": "low",
            "output_compression": 80, "partial_images": 2, "stream": true
        });
        let named = check(body).unwrap().ignored;
        assert_eq!(
            named,
            ["quality", "background", "partial_images", "output_compression", "style", "moderation", "user"]
        );
    }

    #[test]
    fn a_mask_is_refused() {
        let body = json!({"prompt": "p", "images": [], "mask": {"image_url": "https://example.com/m.png"}});
        let error = edit(serde_json::from_value(body).unwrap()).unwrap_err();
        assert_eq!((error.body.param.as_deref(), error.label), (Some("mask"), "unsupported_parameter"));
    }
}
