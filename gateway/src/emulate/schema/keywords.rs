//! The keywords that need nothing but the value itself.

use serde_json::{Map, Value};

use super::fault::{Mismatch, SchemaFault, fault};

pub(super) fn array<'a>(keywords: &'a Map<String, Value>, keyword: &str) -> Option<&'a [Value]> {
    keywords.get(keyword).and_then(Value::as_array).map(Vec::as_slice)
}

pub(super) fn check_type(keywords: &Map<String, Value>, value: &Value, path: &str) -> Result<(), SchemaFault> {
    let fits = |name: &str| match name {
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        name => type_of(value) == name,
    };
    let (fit, expected) = match keywords.get("type") {
        Some(Value::String(name)) => (fits(name), name.clone()),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            (names.iter().any(|name| fits(name)), names.join(" or "))
        }
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => {
            return Ok(());
        }
    };
    if fit { Ok(()) } else { Err(fault(path, Mismatch::Type { expected, found: type_of(value) })) }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

pub(super) fn check_allowed(keywords: &Map<String, Value>, value: &Value, path: &str) -> Result<(), SchemaFault> {
    if let Some(allowed) = array(keywords, "enum")
        && !allowed.iter().any(|allowed| equal(allowed, value))
    {
        let allowed = Value::Array(allowed.to_vec());
        return Err(fault(path, Mismatch::NotAllowed { allowed: format!("one of {allowed}") }));
    }
    match keywords.get("const") {
        Some(allowed) if !equal(allowed, value) => {
            Err(fault(path, Mismatch::NotAllowed { allowed: allowed.to_string() }))
        }
        Some(_) | None => Ok(()),
    }
}

/// In JSON Schema 1 and 1.0 are one number.
fn equal(a: &Value, b: &Value) -> bool {
    a == b || matches!((a, b), (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64())
}

pub(super) fn check_bounds(keywords: &Map<String, Value>, value: &Value, path: &str) -> Result<(), SchemaFault> {
    type Violated = fn(f64, f64) -> bool;
    const AT_LEAST: Violated = |value, limit| value < limit;
    const AT_MOST: Violated = |value, limit| value > limit;
    let (measure, bounds): (f64, &[(&'static str, Violated)]) = match value {
        Value::Number(number) => {
            let bounds: &[(_, Violated)] = &[
                ("minimum", AT_LEAST),
                ("maximum", AT_MOST),
                ("exclusiveMinimum", |value, limit| value <= limit),
                ("exclusiveMaximum", |value, limit| value >= limit),
            ];
            (number.as_f64().unwrap_or_default(), bounds)
        }
        Value::String(text) => (count(text.chars().count()), &[("minLength", AT_LEAST), ("maxLength", AT_MOST)]),
        Value::Array(items) => (count(items.len()), &[("minItems", AT_LEAST), ("maxItems", AT_MOST)]),
        Value::Object(object) => (count(object.len()), &[("minProperties", AT_LEAST), ("maxProperties", AT_MOST)]),
        Value::Null | Value::Bool(_) => return Ok(()),
    };
    for (keyword, violated) in bounds {
        if let Some(limit) = keywords.get(*keyword).and_then(Value::as_f64)
            && violated(measure, limit)
        {
            return Err(fault(path, Mismatch::Bound { keyword, limit: keywords[*keyword].to_string() }));
        }
    }
    Ok(())
}

fn count(count: usize) -> f64 {
    u32::try_from(count).unwrap_or(u32::MAX).into()
}
