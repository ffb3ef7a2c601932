//! Walks through a value and its schema side by side.

use serde_json::{Map, Value};

use super::fault::{Mismatch, SchemaFault, fault};
use super::keywords::{array, check_allowed, check_bounds, check_type};

/// Schemas that are looked at for one value; ends schemas that refer to themselves in circles.
const MAX_STEPS: u32 = 200_000;

/// Deepest nesting of schemas.
const MAX_DEPTH: u32 = 200;

/// Checks `value` against `schema`.
///
/// Understood are `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `anyOf`, `oneOf`,
/// `allOf`, references within the schema, and the bounds of numbers, lengths and counts. Other keywords are ignored.
///
/// # Errors
///
/// The first place at which the value does not fit.
pub fn check(schema: &Value, value: &Value) -> Result<(), SchemaFault> {
    Checker { root: schema, steps: 0 }.check(schema, value, "$", 0)
}

struct Checker<'a> {
    root: &'a Value,
    steps: u32,
}

type Checked = Result<(), SchemaFault>;

impl<'a> Checker<'a> {
    fn check(&mut self, schema: &'a Value, value: &Value, path: &str, depth: u32) -> Checked {
        self.steps += 1;
        if self.steps > MAX_STEPS || depth > MAX_DEPTH {
            return Err(fault(path, Mismatch::Uncheckable));
        }
        let keywords = match schema {
            Value::Object(keywords) => keywords,
            Value::Bool(false) => return Err(fault(path, Mismatch::Forbidden)),
            Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) => return Ok(()),
        };
        check_type(keywords, value, path)?;
        check_allowed(keywords, value, path)?;
        check_bounds(keywords, value, path)?;
        self.alternatives(keywords, value, path, depth + 1)?;
        match value {
            Value::Object(object) => self.object(keywords, object, path, depth + 1),
            Value::Array(items) => self.items(keywords, items, path, depth + 1),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
        }
    }

    fn alternatives(&mut self, keywords: &'a Map<String, Value>, value: &Value, path: &str, depth: u32) -> Checked {
        if let Some(Value::String(reference)) = keywords.get("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            self.check(target.ok_or_else(|| fault(path, Mismatch::Uncheckable))?, value, path, depth)?;
        }
        for schema in array(keywords, "allOf").unwrap_or_default() {
            self.check(schema, value, path, depth)?;
        }
        if let Some(schemas) = array(keywords, "anyOf")
            && self.count_fits(schemas, value, path, depth, 1)? == 0
        {
            return Err(fault(path, Mismatch::NoAlternative("anyOf")));
        }
        if let Some(schemas) = array(keywords, "oneOf")
            && self.count_fits(schemas, value, path, depth, 2)? != 1
        {
            return Err(fault(path, Mismatch::NoAlternative("oneOf")));
        }
        Ok(())
    }

    /// How many of the schemas fit, counted up to `enough`. A single alternative reports its own fault.
    fn count_fits(
        &mut self,
        schemas: &'a [Value],
        value: &Value,
        path: &str,
        depth: u32,
        enough: u32,
    ) -> Result<u32, SchemaFault> {
        let mut fits = 0;
        for schema in schemas {
            match self.check(schema, value, path, depth) {
                Ok(()) => fits += 1,
                Err(fault) if fault.mismatch == Mismatch::Uncheckable || schemas.len() == 1 => {
                    return Err(fault);
                }
                Err(_) => {}
            }
            if fits == enough {
                break;
            }
        }
        Ok(fits)
    }

    fn object(
        &mut self,
        keywords: &'a Map<String, Value>,
        object: &Map<String, Value>,
        path: &str,
        depth: u32,
    ) -> Checked {
        for name in array(keywords, "required").unwrap_or_default().iter().filter_map(Value::as_str) {
            if !object.contains_key(name) {
                return Err(fault(path, Mismatch::Missing(name.to_owned())));
            }
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        let additional = keywords.get("additionalProperties");
        for (name, value) in object {
            let inner = format!("{path}.{name}");
            if let Some(schema) = properties.and_then(|properties| properties.get(name)) {
                self.check(schema, value, &inner, depth)?;
            } else if additional == Some(&Value::Bool(false)) && !keywords.contains_key("patternProperties") {
                return Err(fault(path, Mismatch::Unexpected(name.clone())));
            } else if let Some(schema) = additional {
                self.check(schema, value, &inner, depth)?;
            }
        }
        Ok(())
    }

    fn items(&mut self, keywords: &'a Map<String, Value>, items: &[Value], path: &str, depth: u32) -> Checked {
        let first = array(keywords, "prefixItems").unwrap_or_default();
        let others = keywords.get("items");
        for (index, item) in items.iter().enumerate() {
            if let Some(schema) = first.get(index).or(others) {
                self.check(schema, item, &format!("{path}[{index}]"), depth)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
