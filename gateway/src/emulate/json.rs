//! Answers in JSON: asks for them, checks them, asks once more (`openai-surface.md` §3.1).

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::lenient::{self, Fault};
use super::schema::{self, SchemaFault};
use crate::request::{Message, ResponseFormat, Role};

/// Places at which JSON is looked for in an answer with other text around it.
const MAX_CANDIDATES: usize = 64;

/// Why an answer does not have the required form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// It contains no JSON value.
    #[error("the answer contains no valid JSON")]
    NotJson,
    /// It contains JSON, but no object.
    #[error("the answer is not a JSON object")]
    NotAnObject,
    /// It contains JSON that does not fit the schema.
    #[error("the JSON does not fit the schema at {0}")]
    Schema(SchemaFault),
    /// The schema in the request is not JSON that can be used.
    #[error("the schema is not valid JSON")]
    BrokenSchema,
}

/// The instruction to put before the conversation; `None` when any text will do.
pub fn instruction(format: &ResponseFormat) -> Option<String> {
    const ONLY: &str = "Write nothing else: no explanation, no code fence, no source links.";
    match format {
        ResponseFormat::Text => None,
        ResponseFormat::JsonObject => Some(format!("Answer with exactly one JSON object. {ONLY}")),
        ResponseFormat::JsonSchema { name, schema, .. } => {
            let schema = lenient::compact(schema.get());
            Some(format!("Answer with exactly one JSON value that fits the JSON schema \"{name}\":\n{schema}\n{ONLY}"))
        }
    }
}

/// Takes the JSON text out of an answer: without code fences, without the text around it, small faults repaired.
///
/// With [`ResponseFormat::Text`] the answer comes back as it is. A schema is checked whether or not it is `strict`.
///
/// # Errors
///
/// What to tell the model, or the client if it was told already. When several values are found, the fault is that of
/// the one that came nearest.
pub fn check(answer: &str, format: &ResponseFormat) -> Result<String, JsonFault> {
    let wanted = match format {
        ResponseFormat::Text => return Ok(answer.to_owned()),
        ResponseFormat::JsonObject => None,
        ResponseFormat::JsonSchema { schema, .. } => {
            Some(serde_json::from_str::<Value>(schema.get()).map_err(|_| JsonFault::BrokenSchema)?)
        }
    };
    let mut rest = answer.trim();
    let mut fault = JsonFault::NotJson;
    for _ in 0..MAX_CANDIDATES {
        let (length, found) = match value(rest) {
            Found::Value { json, length } => match fits(&json, wanted.as_ref()) {
                Ok(()) => return Ok(json.into_owned()),
                Err(fault) => (length, Some(fault)),
            },
            Found::Text(length) => (length, None),
            Found::Unfinished => break,
        };
        if let Some(found) = found.filter(|_| !matches!(fault, JsonFault::Schema(_))) {
            fault = found;
        }
        match rest[length..].find(['{', '[']) {
            Some(bracket) => rest = &rest[length + bracket..],
            None => break,
        }
    }
    Err(fault)
}

/// The two messages that follow on a wrong answer to get it repaired: the answer itself and what is wrong with it.
pub fn repair_turn(answer: &str, fault: &JsonFault) -> [Message; 2] {
    let text = format!(
        "Your last answer cannot be used: {fault}. Send the complete answer again in the required form, as one JSON value and nothing else."
    );
    [Message::text(Role::Assistant, answer), Message::text(Role::User, text)]
}

/// What stands at the start of a text.
enum Found<'a> {
    /// A JSON value, as written if it is valid.
    Value { json: Cow<'a, str>, length: usize },
    /// So many bytes that are no JSON value. Nothing is to be looked for in them: a part of a broken value is not the answer.
    Text(usize),
    /// The beginning of a value whose end is missing.
    Unfinished,
}

fn value(text: &str) -> Found<'_> {
    let bracket = text.starts_with(['{', '[']);
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let (json, length) = match values.next() {
        Some(Ok(json)) => (Cow::Borrowed(json.get()), values.byte_offset()),
        Some(Err(_)) if bracket => match lenient::read(text) {
            Ok((json, length)) => (Cow::Owned(json), length),
            Err(Fault::Incomplete) => return Found::Unfinished,
            Err(Fault::Invalid) => return bracketed(text).map_or(Found::Unfinished, Found::Text),
        },
        Some(Err(_)) | None => return Found::Text(0),
    };
    // Prose is full of words and numbers: one of these is the answer only if it is all of it.
    if bracket || text[length..].trim().is_empty() { Found::Value { json, length } } else { Found::Text(0) }
}

/// The length up to the bracket that closes the first one.
fn bracketed(text: &str) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => continue,
        }
        if depth == 0 {
            return Some(at + 1);
        }
    }
    None
}

fn fits(json: &str, wanted: Option<&Value>) -> Result<(), JsonFault> {
    let Some(schema) = wanted else {
        return if json.starts_with('{') { Ok(()) } else { Err(JsonFault::NotAnObject) };
    };
    let value: Value = serde_json::from_str(json).map_err(|_| JsonFault::NotJson)?;
    schema::check(schema, &value).map_err(JsonFault::Schema)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn object(answer: &str) -> Result<String, JsonFault> {
        check(answer, &ResponseFormat::JsonObject)
    }

    fn point() -> ResponseFormat {
        let schema = r#"{ "type": "object", "properties": { "x": { "type": "integer" } }, "required": ["x"] }"#;
        ResponseFormat::JsonSchema {
            name: "point".to_owned(),
            schema: RawValue::from_string(schema.to_owned()).unwrap(),
            strict: true,
        }
    }

    #[test]
    fn valid_json_comes_back_as_written() {
        assert_eq!(object(" {\"a\": 1.0, \"b\": [\"ü\"]}\n").unwrap(), "{\"a\": 1.0, \"b\": [\"ü\"]}");
        assert_eq!(check("anything", &ResponseFormat::Text).unwrap(), "anything");
    }

    #[test]
    fn fences_and_prose_are_removed() {
        assert_eq!(object("```json\n{\"a\": 1}\n```").unwrap(), "{\"a\": 1}");
        assert_eq!(object("Here it is [1]:\n\n{\"a\": 1}\n\nAnything {else}?").unwrap(), "{\"a\": 1}");
    }

    #[test]
    fn small_faults_are_repaired() {
        assert_eq!(object("{'a': [1,2,],}").unwrap(), "{\"a\":[1,2]}");
    }

    #[test]
    fn an_answer_without_an_object_is_refused() {
        assert_eq!(object("Sorry, I can't."), Err(JsonFault::NotJson));
        assert_eq!(object(""), Err(JsonFault::NotJson));
        assert_eq!(object("{\"a\": 1"), Err(JsonFault::NotJson));
        assert_eq!(object("\"text\""), Err(JsonFault::NotAnObject));
        assert_eq!(object("42"), Err(JsonFault::NotAnObject));
    }

    #[test]
    fn a_schema_is_checked_on_the_value_that_is_meant() {
        assert_eq!(check("Point [1] is {\"x\": 3}.", &point()).unwrap(), "{\"x\": 3}");
        let fault = check("{\"x\": \"3\"}", &point()).unwrap_err();
        assert_eq!(fault.to_string(), "the JSON does not fit the schema at $.x: expected integer, found string");
        assert!(matches!(check("{}", &point()), Err(JsonFault::Schema(_))));
    }

    #[test]
    fn scalars_fit_where_the_schema_wants_them() {
        let schema = RawValue::from_string(r#"{"type":"boolean"}"#.to_owned()).unwrap();
        let format = ResponseFormat::JsonSchema { name: "yes".to_owned(), schema, strict: false };
        assert_eq!(check(" true ", &format).unwrap(), "true");
        assert!(check("It is true", &format).is_err());
    }

    #[test]
    fn the_instruction_contains_the_schema_on_one_line() {
        assert_eq!(instruction(&ResponseFormat::Text), None);
        assert!(instruction(&ResponseFormat::JsonObject).unwrap().contains("one JSON object"));
        let text = instruction(&point()).unwrap();
        assert!(
            text.contains(
                "\"point\":\n{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"integer\"}},\"required\":[\"x\"]}\n"
            ),
            "{text}"
        );
    }

    #[test]
    fn the_repair_turn_names_the_fault() {
        let [answer, request] = repair_turn("no", &JsonFault::NotJson);
        assert_eq!((answer.role, request.role), (Role::Assistant, Role::User));
        assert!(
            matches!(&request.parts[..], [crate::request::Part::Text(text)] if text.contains("contains no valid JSON"))
        );
    }

    #[test]
    fn a_part_of_a_value_is_never_taken_for_the_answer() {
        assert_eq!(object("[{\"a\": 1}]"), Err(JsonFault::NotAnObject));
        assert_eq!(object("{\"a\": {\"b\": 1}"), Err(JsonFault::NotJson));
        assert_eq!(object("{\"a\": oops, \"b\": {\"c\": 1}}"), Err(JsonFault::NotJson));
        assert!(matches!(check("{\"points\": [{\"x\": 1}]}", &point()), Err(JsonFault::Schema(_))));
        assert_eq!(object("Use {braces} like so: {\"a\": 1}").unwrap(), "{\"a\": 1}");
    }

    #[test]
    fn an_answer_full_of_brackets_is_given_up_soon() {
        assert_eq!(object(&"[{".repeat(100_000)), Err(JsonFault::NotJson));
    }
}
