//! Bodies that come as JSON or as a form with files.

use poem::http::header;
use poem::{Request, RequestBody, Result};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::body::{JsonBody, data_error};
use crate::error::ApiError;
use crate::inputs::MAX_TOTAL_BYTES;
use crate::json_type::inline;
use crate::multipart::{Parts, is_form};
use crate::state::AppState;

/// Room for what a form holds beside its files.
const MAX_TEXT_BYTES: usize = 1024 * 1024;
/// Longest text field: a prompt of the longest characters.
const MAX_FIELD_BYTES: usize = 4 * 32_000 + 1;

/// A body of type `T`, whole, or a form that is read as it comes.
pub(crate) enum JsonOrForm<T> {
    Json(T),
    Form(Parts),
}

/// How a body looks as a form: all its values are text.
pub(crate) trait Form: DeserializeOwned + Type {
    /// Fields that hold whole numbers.
    const NUMBERS: &'static [&'static str];
    /// Fields that hold `true` or `false`.
    const FLAGS: &'static [&'static str];
    /// Fields that hold text.
    const TEXTS: &'static [&'static str];
    /// Fields that must be there.
    const REQUIRED: &'static [&'static str];
    /// Fields that hold files, and whether they may be repeated.
    const FILES: &'static [(&'static str, bool)];
}

impl<'a, T: Form> ApiExtractor<'a> for JsonOrForm<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    const PARAM_IS_REQUIRED: bool = true;
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        T::register(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![
            MetaMediaType { content_type: "application/json", schema: T::schema_ref() },
            MetaMediaType { content_type: "multipart/form-data", schema: form_schema::<T>() },
        ];
        Some(MetaRequest { description: None, content, required: true })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        options: ExtractParamOptions<Self::ParamType>,
    ) -> Result<Self> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_form) {
            return JsonBody::<T>::from_request(request, body, options).await.map(|json| Self::Json(json.0));
        }
        let state = request.data::<AppState>().ok_or_else(ApiError::internal)?;
        let body = body.take().map_err(|_| ApiError::internal())?;
        let max_bytes = MAX_TOTAL_BYTES + MAX_TEXT_BYTES;
        Ok(Self::Form(Parts::new(request.headers(), body, max_bytes, state.body_limits)?))
    }
}

fn form_schema<T: Form>() -> MetaSchemaRef {
    let named = |ty: &'static str| move |name: &&'static str| (*name, inline(MetaSchema::new(ty)));
    let mut schema = MetaSchema::new("object");
    schema.required = T::REQUIRED.to_vec();
    schema.properties.extend(T::TEXTS.iter().map(named("string")));
    schema.properties.extend(T::NUMBERS.iter().map(named("integer")));
    schema.properties.extend(T::FLAGS.iter().map(named("boolean")));
    for (name, repeated) in T::FILES {
        let file = inline(MetaSchema { format: Some("binary"), ..MetaSchema::new("string") });
        let files = if *repeated { crate::json_type::list(file) } else { file };
        schema.properties.push((*name, files));
    }
    inline(schema)
}

/// The text fields of a form, on their way to a `T`.
pub(crate) struct Fields<T> {
    members: Map<String, Value>,
    form: std::marker::PhantomData<fn() -> T>,
}

impl<T: Form> Fields<T> {
    pub(crate) fn new() -> Self {
        Self { members: Map::new(), form: std::marker::PhantomData }
    }

    /// Reads one field. Empty ones count as absent, as do those that nobody knows.
    ///
    /// # Errors
    /// The field is too long, no text, or not of its type.
    pub(crate) async fn read(&mut self, parts: &mut Parts, name: &str) -> Result<(), ApiError> {
        let is_number = T::NUMBERS.contains(&name);
        let is_flag = T::FLAGS.contains(&name);
        if !(is_number || is_flag || T::TEXTS.contains(&name)) {
            return Ok(());
        }
        let text = parts.text(name, MAX_FIELD_BYTES).await?;
        if text.is_empty() {
            return Ok(());
        }
        let value = if is_number {
            number(&text)
        } else if is_flag {
            flag(&text)
        } else {
            Some(Value::from(text))
        };
        let value = value.ok_or_else(|| {
            let expected = if is_number { "a whole number" } else { "true or false" };
            let message = format!("Invalid value for '{name}': expected {expected}.");
            ApiError::invalid(name, "invalid_value", message)
        })?;
        self.members.insert(name.to_owned(), value);
        Ok(())
    }

    /// What the fields say together.
    ///
    /// # Errors
    /// A field is missing.
    pub(crate) fn finish(self) -> Result<T, ApiError> {
        serde_path_to_error::deserialize(Value::Object(self.members))
            .map_err(|error| data_error(&error.path().to_string(), &error.inner().to_string()))
    }
}

fn number(text: &str) -> Option<Value> {
    text.trim().parse::<i64>().ok().map(Value::from)
}

fn flag(text: &str) -> Option<Value> {
    match text.trim() {
        "true" | "True" | "1" => Some(Value::Bool(true)),
        "false" | "False" | "0" => Some(Value::Bool(false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_form_are_text() {
        assert_eq!((number(" 2 "), number("2.5"), number("two")), (Some(Value::from(2)), None, None));
        assert_eq!((flag("true"), flag("False"), flag("yes")), (Some(true.into()), Some(false.into()), None));
    }
}
