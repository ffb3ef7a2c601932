//! JSON reading that never loses a line over one odd member: a value of the wrong type counts as absent.
//!
//! Derived readers refuse a whole object when a member has another type or comes twice. The upstream's schema is not ours
//! and changes without notice, so these readers take what fits, read over the rest, and let the last of two like-named
//! members win. Everything borrows from the line.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Visitor methods for JSON types that were not asked for: the value is read over and counts as absent.
macro_rules! absent {
    ($($kind:ident),*) => { $($crate::codec::lenient::absent!(@ $kind);)* };
    (@ bool) => { fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ numbers) => {
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok(Default::default()) }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok(Default::default()) }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok(Default::default()) }
    };
    (@ str) => { fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ null) => { fn visit_unit<E>(self) -> Result<Self::Value, E> { Ok(Default::default()) } };
    (@ list) => {
        fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
    (@ object) => {
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
            while object.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
            Ok(Default::default())
        }
    };
}
pub(crate) use absent;

/// The member names of a struct.
pub(crate) trait Members {
    /// Whether there is a member of this name.
    fn has(key: &str) -> bool;
}

/// Declares a struct whose reader takes the named members of a JSON object and ignores all others.
///
/// `rarely Other` after it adds a field `rare`: the members that `Other` names, boxed, and `None` while none has come.
macro_rules! lenient_object {
    (
        $(#[$about:meta])*
        struct $name:ident<$life:lifetime> { $($(#[$note:meta])* $key:literal => $field:ident: $type:ty,)* }
        $(rarely $rare:ident)?
    ) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<$life> {
            $($(#[$note])* pub(crate) $field: $type,)*
            $(pub(crate) rare: Option<Box<$rare<$life>>>,)?
        }

        impl<$life> $name<$life> {
            /// Reads the value of a member; false if it is not one of ours.
            fn read_member<A: serde::de::MapAccess<$life>>(&mut self, key: &str, object: &mut A) -> Result<bool, A::Error> {
                match key {
                    $($key => self.$field = object.next_value()?,)*
                    $(key if <$rare<'_> as $crate::codec::lenient::Members>::has(key) => {
                        return self.rare.get_or_insert_default().read_member(key, object);
                    })?
                    _ => return Ok(false),
                }
                Ok(true)
            }
        }

        impl $crate::codec::lenient::Members for $name<'_> {
            fn has(key: &str) -> bool {
                matches!(key, $($key)|*)
            }
        }

        impl<$life> serde::Deserialize<$life> for $name<$life> {
            fn deserialize<D: serde::Deserializer<$life>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor;
                impl<'de> serde::de::Visitor<'de> for ObjectVisitor {
                    type Value = $name<'de>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
                        let mut value = $name::default();
                        while let Some(key) = object.next_key::<$crate::codec::lenient::Text<'de>>()? {
                            if !value.read_member(key.as_str(), &mut object)? {
                                object.next_value::<serde::de::IgnoredAny>()?;
                            }
                        }
                        Ok(value)
                    }

                    $crate::codec::lenient::absent!(bool, numbers, str, null, list);
                }
                deserializer.deserialize_any(ObjectVisitor)
            }
        }
    };
}
pub(crate) use lenient_object;

/// A string, borrowed from the line unless it holds escapes.
#[derive(Debug, Default)]
pub(crate) struct Text<'a>(Option<Cow<'a, str>>);

impl Text<'_> {
    /// The string; empty when absent.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// The string, unless it is empty or absent.
    pub(crate) fn non_empty(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Text<'a> {
    fn from(text: T) -> Self {
        Self(Some(text.into()))
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text::from(text))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text::from(text.to_owned()))
            }

            absent!(bool, numbers, null, list, object);
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A boolean; false when absent.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Flag(pub(crate) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl<'de> Visitor<'de> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean")
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Flag(flag))
            }

            absent!(numbers, str, null, list, object);
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// A number, cut down to a whole one.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Number(pub(crate) Option<i64>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl<'de> Visitor<'de> for NumberVisitor {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Number(Some(number)))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Number(Some(i64::try_from(number).unwrap_or(i64::MAX))))
            }

            #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, which is what is wanted")]
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Number(Some(number.floor() as i64)))
            }

            absent!(bool, str, null, list, object);
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

/// Whether a member is there with any value but null.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Present(pub(crate) bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<IgnoredAny>::deserialize(deserializer)?.is_some()))
    }
}

/// An object; anything else counts as absent.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(|value| Object(Some(value)))
            }

            absent!(bool, numbers, str, null, list);
        }
        deserializer.deserialize_any(ObjectVisitor(PhantomData))
    }
}

/// The first `MOST` entries of a list; what comes after them is read over, so that a line cannot blow up in memory.
#[derive(Debug)]
pub(crate) struct List<T, const MOST: usize>(pub(crate) Vec<T>);

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for ListVisitor<T, MOST> {
            type Value = List<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                take_first(list, MOST).map(List)
            }

            absent!(bool, numbers, str, null, object);
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// Reads a list to its end and keeps its first `most` entries.
pub(crate) fn take_first<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    mut list: A,
    most: usize,
) -> Result<Vec<T>, A::Error> {
    let mut taken = Vec::new();
    while taken.len() < most {
        let Some(entry) = list.next_element()? else { return Ok(taken) };
        taken.push(entry);
    }
    while list.next_element::<IgnoredAny>()?.is_some() {}
    Ok(taken)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed parse is a failed test")]

    use super::*;

    lenient_object! {
        struct Sample<'a> {
            "text" => text: Text<'a>,
            "flag" => flag: Flag,
            "number" => number: Number,
            "there" => there: Present,
            "list" => list: List<Number, 2>,
            "object" => object: Object<Box<Sample<'a>>>,
        }
    }

    #[test]
    fn r2_members_of_the_wrong_type_count_as_absent() {
        for odd in ["null", "true", "1", "-1", "1.5", "\"t\"", "[1,[2],{}]", "{\"a\":[{}]}"] {
            let json = format!(
                r#"{{"text":{odd},"flag":{odd},"number":{odd},"there":{odd},"list":{odd},"object":{odd},"text":"kept"}}"#
            );
            let sample: Sample<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(sample.text.as_str(), "kept", "{odd}");
            assert_eq!(sample.flag.0, odd == "true", "{odd}");
            assert_eq!(sample.number.0.is_some(), odd.parse::<f64>().is_ok(), "{odd}");
            assert_eq!(sample.there.0, odd != "null", "{odd}");
            assert_eq!(sample.list.0.len(), if odd.starts_with('[') { 2 } else { 0 }, "{odd}");
            assert_eq!(sample.object.0.is_some(), odd.starts_with('{'), "{odd}");
            assert!(serde_json::from_str::<Sample<'_>>(odd).is_ok(), "{odd}");
        }
    }

    #[test]
    fn strings_without_escapes_are_borrowed() {
        let plain: Text<'_> = serde_json::from_str("\"plain\"").unwrap();
        assert!(matches!(plain.0, Some(Cow::Borrowed("plain"))));
        let escaped: Text<'_> = serde_json::from_str(r#""a\nb""#).unwrap();
        assert_eq!(escaped.as_str(), "a\nb");
    }

    #[test]
    fn deep_nesting_in_an_unknown_member_is_read_over() {
        let deep = format!(r#"{{"unknown":{}{},"text":"kept"}}"#, "[".repeat(10_000), "]".repeat(10_000));
        let sample: Sample<'_> = serde_json::from_str(&deep).unwrap();
        assert_eq!(sample.text.as_str(), "kept");
    }
}
