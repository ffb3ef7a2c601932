//! Request members that may be one of several JSON forms, described for the OpenAPI document and read by serde.

use std::fmt;

use poem_openapi::registry::{MetaSchema, MetaSchemaRef};
use serde::de::{self, DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Describes a type that serde reads: a named schema, and what else must be registered with it.
macro_rules! json_type {
    ($type:ty, $name:literal, $schema:expr $(, $member:ty)*) => {
        impl poem_openapi::types::Type for $type {
            const IS_REQUIRED: bool = true;
            type RawValueType = Self;
            type RawElementValueType = Self;

            fn name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn schema_ref() -> poem_openapi::registry::MetaSchemaRef {
                poem_openapi::registry::MetaSchemaRef::Reference($name.to_owned())
            }

            fn register(registry: &mut poem_openapi::registry::Registry) {
                $(<$member as poem_openapi::types::Type>::register(registry);)*
                registry.create_schema::<Self, _>($name.to_owned(), |_| $schema);
            }

            fn as_raw_value(&self) -> Option<&Self::RawValueType> {
                Some(self)
            }

            fn raw_element_iter<'a>(&'a self) -> Box<dyn Iterator<Item = &'a Self::RawElementValueType> + 'a> {
                Box::new(std::iter::once(self))
            }
        }

        impl poem_openapi::types::ParseFromJSON for $type {
            fn parse_from_json(value: Option<serde_json::Value>) -> poem_openapi::types::ParseResult<Self> {
                serde_json::from_value(value.unwrap_or_default()).map_err(poem_openapi::types::ParseError::custom)
            }
        }
    };
}
pub(crate) use json_type;

/// A schema of one JSON type.
pub(crate) fn plain(ty: &'static str, description: &'static str) -> MetaSchema {
    let mut schema = MetaSchema::new(ty);
    schema.description = Some(description);
    schema
}

/// A schema that is one of several.
pub(crate) fn one_of(description: &'static str, options: Vec<MetaSchemaRef>) -> MetaSchema {
    let mut schema = MetaSchema::ANY;
    schema.description = Some(description);
    schema.any_of = options;
    schema
}

/// A schema given in place.
pub(crate) fn inline(schema: MetaSchema) -> MetaSchemaRef {
    MetaSchemaRef::Inline(Box::new(schema))
}

/// A list of `items`.
pub(crate) fn list(items: MetaSchemaRef) -> MetaSchemaRef {
    let mut schema = MetaSchema::new("array");
    schema.items = Some(Box::new(items));
    inline(schema)
}

/// Accepted, and then left alone.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

json_type!(Ignored, "Ignored", {
    let mut schema = MetaSchema::ANY;
    schema.description = Some("Accepted for compatibility and ignored.");
    schema
});

/// A JSON object, kept as the client wrote it.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct JsonText(pub Box<RawValue>);

json_type!(JsonText, "JsonSchema", plain("object", "A JSON Schema, or any other JSON object."));

/// One string or several.
#[derive(Debug, Clone)]
pub(crate) struct OneOrMany(pub Vec<String>);

json_type!(
    OneOrMany,
    "OneOrMany",
    one_of(
        "One string, or a list of strings.",
        vec![inline(MetaSchema::new("string")), list(inline(MetaSchema::new("string")))]
    )
);

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList::<String>(std::marker::PhantomData)).map(|either| match either {
            Either::Text(text) => Self(vec![text]),
            Either::List(list) => Self(list),
        })
    }
}

/// A string or a list.
pub(crate) enum Either<T> {
    Text(String),
    List(Vec<T>),
}

/// Reads [`Either`] in one pass, so that errors keep their path and raw JSON stays raw.
pub(crate) struct TextOrList<T>(pub(crate) std::marker::PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for TextOrList<T> {
    type Value = Either<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Either::Text(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Either::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = seq.next_element()? {
            list.push(item);
        }
        Ok(Either::List(list))
    }
}
