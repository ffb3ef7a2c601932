//! `POST /v1/videos`: what clients send, and which of it can be carried out.

use std::fmt;

use poem_openapi::Object;
use poem_openapi::registry::MetaSchema;
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::form::Form;
use crate::images::request::PictureIn;
use crate::json_type::{inline, json_type, one_of};

/// Length that a request has which names none.
pub(super) const USUAL_SECONDS: &str = "4";
/// Size that a request has which names none.
pub(super) const USUAL_SIZE: &str = "720x1280";
const LENGTHS: [&str; 3] = [USUAL_SECONDS, "8", "12"];
const SIZES: [&str; 4] = [USUAL_SIZE, "1280x720", "1024x1792", "1792x1024"];

/// A request for a video. Members that are not listed are ignored. As a form, `input_reference` is a file.
#[derive(Debug, Deserialize, Object)]
#[oai(write_only_all)]
pub(crate) struct CreateVideo {
    /// What is to be seen, 1 to 32,000 characters.
    #[oai(validator(min_length = 1, max_length = 32000))]
    pub prompt: String,
    /// Id of a model of `/v1/models` that makes videos; without it the one of the settings.
    #[oai(nullable)]
    pub model: Option<String>,
    /// `4`. The upstream decides about the length: others are refused, or ignored with the setting `video.lenient`.
    #[oai(nullable)]
    pub seconds: Option<Seconds>,
    /// `720x1280`. The upstream decides about the size: others are refused, or ignored with the setting `video.lenient`.
    #[oai(nullable)]
    pub size: Option<String>,
    /// A picture to begin with.
    #[oai(nullable)]
    pub input_reference: Option<PictureIn>,
}

/// A length: a number, or a text that holds one.
#[derive(Debug, Clone)]
pub(crate) struct Seconds(pub String);

json_type!(
    Seconds,
    "VideoSeconds",
    one_of(
        "Whole seconds, as text or as a number.",
        vec![inline(MetaSchema::new("string")), inline(MetaSchema::new("integer"))]
    )
);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Length;
        impl Visitor<'_> for Length {
            type Value = Seconds;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or text that holds one")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                Ok(Seconds(text.chars().take(20).collect()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Seconds, E> {
                Ok(Seconds(number.to_string()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Seconds, E> {
                Ok(Seconds(number.to_string()))
            }
        }
        deserializer.deserialize_any(Length)
    }
}

impl Form for CreateVideo {
    const NUMBERS: &'static [&'static str] = &[];
    const FLAGS: &'static [&'static str] = &[];
    const TEXTS: &'static [&'static str] = &["prompt", "model", "seconds", "size"];
    const REQUIRED: &'static [&'static str] = &["prompt"];
    const FILES: &'static [(&'static str, bool)] = &[("input_reference", false)];
}

/// What is to be filmed. Serialized, it is what makes one request another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Filming {
    pub(super) prompt: String,
    /// As the client named it.
    pub(super) model: Option<String>,
    pub(super) seconds: Option<String>,
    pub(super) size: Option<String>,
    /// Members that were understood and ignored.
    #[serde(skip)]
    pub(super) ignored: Vec<&'static str>,
}

/// Checks a request, but for its picture.
///
/// # Errors
/// 400 for the member at fault.
pub(super) fn filming(body: CreateVideo, lenient: bool) -> Result<Filming, ApiError> {
    let seconds = body.seconds.map(|seconds| seconds.0.trim().to_owned());
    let is_length = |text: &str| text.parse::<u32>().is_ok_and(|secs| (1..=3600).contains(&secs));
    let seconds =
        Choice { name: "seconds", listed: &LENGTHS, is_one: &is_length, expected: "whole seconds, such as \"4\"" }
            .of(seconds, lenient)?;
    let is_size = |text: &str| {
        let side = |text: &str| text.parse::<u32>().is_ok_and(|side| (1..=16_384).contains(&side));
        text.split_once('x').is_some_and(|(width, height)| side(width) && side(height))
    };
    let size = Choice { name: "size", listed: &SIZES, is_one: &is_size, expected: "WIDTHxHEIGHT, such as 720x1280" }
        .of(body.size, lenient)?;
    let ignored = [("seconds", seconds.1), ("size", size.1)];
    let ignored = ignored.into_iter().filter_map(|(name, ignored)| ignored.then_some(name)).collect();
    Ok(Filming { prompt: body.prompt, model: body.model, seconds: seconds.0, size: size.0, ignored })
}

/// Something that OpenAI's clients can choose and the upstream decides.
struct Choice<'a> {
    name: &'static str,
    /// What OpenAI takes; the first is the usual one, which promises nothing.
    listed: &'a [&'a str],
    is_one: &'a dyn Fn(&str) -> bool,
    expected: &'a str,
}

impl Choice<'_> {
    /// The value to be recorded, and whether the client's was ignored.
    fn of(&self, asked: Option<String>, lenient: bool) -> Result<(Option<String>, bool), ApiError> {
        let name = self.name;
        let Some(asked) = asked else { return Ok((None, false)) };
        if !(self.is_one)(&asked) {
            let message = format!("Invalid value for '{name}': expected {}.", self.expected);
            return Err(ApiError::invalid(name, "invalid_value", message));
        }
        if self.listed.first().is_some_and(|usual| *usual == asked) {
            return Ok((Some(asked), false));
        }
        if lenient {
            return Ok((None, true));
        }
        let code = if self.listed.contains(&asked.as_str()) { "unsupported_value" } else { "invalid_value" };
        let message = format!(
            "The upstream decides about '{name}' itself. Leave it out; or let the operator turn the setting \
             'video.lenient' on, which ignores it."
        );
        Err(ApiError::invalid(name, code, message))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use serde_json::{Value, json};

    fn check(mut body: Value, lenient: bool) -> Result<Filming, (String, String)> {
        body["prompt"] = "a red kite".into();
        let body: CreateVideo = serde_json::from_value(body).unwrap();
        filming(body, lenient).map_err(|error| (error.body.param.unwrap(), error.body.code.unwrap()))
    }

    #[test]
    fn what_promises_nothing_is_taken() {
        for body in [
            json!({}),
            json!({"seconds": "4"}),
            json!({"seconds": 4, "size": "720x1280"}),
            json!({"seconds": null, "size": null}),
        ] {
            assert!(check(body.clone(), false).unwrap().ignored.is_empty(), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_unless_the_operator_is_lenient() {
        for (body, param, code) in [
            (json!({"seconds": "8"}), "seconds", "unsupported_value"),
            (json!({"seconds": 12}), "seconds", "unsupported_value"),
            (json!({"seconds": 5}), "seconds", "invalid_value"),
            (json!({"size": "1280x720"}), "size", "unsupported_value"),
            (json!({"size": "640x480"}), "size", "invalid_value"),
        ] {
            assert_eq!(check(body.clone(), false), Err((param.to_owned(), code.to_owned())), "{body}");
            let filming = check(body.clone(), true).unwrap();
            assert_eq!((filming.ignored, filming.seconds, filming.size), (vec![param], None, None), "{body}");
        }
    }

    #[test]
    fn nonsense_is_refused_always() {
        for lenient in [false, true] {
            for (body, param) in [
                (json!({"seconds": "soon"}), "seconds"),
                (json!({"seconds": 0}), "seconds"),
                (json!({"seconds": -4}), "seconds"),
                (json!({"size": "big"}), "size"),
                (json!({"size": "0x5"}), "size"),
            ] {
                assert_eq!(check(body.clone(), lenient), Err((param.into(), "invalid_value".into())), "{body}");
            }
        }
    }
}
