use serde_json::json;

use super::*;

#[track_caller]
fn fits(schema: &Value, value: &Value) {
    assert_eq!(check(schema, value), Ok(()));
}

/// The fault as the model gets to read it.
#[track_caller]
fn fault(schema: &Value, value: &Value) -> String {
    match check(schema, value) {
        Ok(()) => "fits".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn types_are_checked() {
    for (name, value) in [
        ("null", json!(null)),
        ("boolean", json!(true)),
        ("number", json!(1.5)),
        ("integer", json!(7)),
        ("integer", json!(7.0)),
        ("string", json!("x")),
        ("array", json!([])),
        ("object", json!({})),
    ] {
        fits(&json!({ "type": name }), &value);
    }
    assert_eq!(fault(&json!({"type": "integer"}), &json!(1.5)), "$: expected integer, found number");
    assert_eq!(fault(&json!({"type": ["string", "null"]}), &json!(1)), "$: expected string or null, found number");
    fits(&json!({"type": ["string", "null"]}), &json!(null));
}

#[test]
fn objects_are_checked_by_property() {
    let schema = json!({
        "type": "object",
        "properties": { "name": { "type": "string" }, "tags": { "type": "array", "items": { "type": "string" } } },
        "required": ["name"],
        "additionalProperties": false
    });
    fits(&schema, &json!({"name": "a", "tags": ["x"]}));
    assert_eq!(fault(&schema, &json!({"tags": []})), "$: the required property \"name\" is missing");
    assert_eq!(fault(&schema, &json!({"name": "a", "age": 3})), "$: the property \"age\" is not allowed");
    assert_eq!(fault(&schema, &json!({"name": "a", "tags": ["x", 2]})), "$.tags[1]: expected string, found number");
    let open = json!({"properties": {"a": true}, "additionalProperties": {"type": "integer"}});
    fits(&open, &json!({"a": "x", "b": 1}));
    assert_eq!(fault(&open, &json!({"b": "x"})), "$.b: expected integer, found string");
}

#[test]
fn allowed_values_are_checked() {
    fits(&json!({"enum": ["a", 1, null]}), &json!(1.0));
    assert_eq!(fault(&json!({"enum": ["a", "b"]}), &json!("c")), "$: the value must be one of [\"a\",\"b\"]");
    assert_eq!(fault(&json!({"const": "a"}), &json!("b")), "$: the value must be \"a\"");
}

#[test]
fn bounds_are_checked() {
    assert_eq!(fault(&json!({"minimum": 1}), &json!(0)), "$: the value violates minimum 1");
    assert_eq!(fault(&json!({"exclusiveMaximum": 2}), &json!(2)), "$: the value violates exclusiveMaximum 2");
    assert_eq!(fault(&json!({"maxLength": 2}), &json!("äöü")), "$: the value violates maxLength 2");
    assert_eq!(fault(&json!({"minItems": 1}), &json!([])), "$: the value violates minItems 1");
    fits(&json!({"minimum": 1, "maximum": 3}), &json!(3));
    fits(&json!({"minimum": 1}), &json!("no number"));
}

#[test]
fn alternatives_are_checked() {
    let either = json!({"anyOf": [{"type": "string"}, {"type": "object", "required": ["a"]}]});
    fits(&either, &json!("x"));
    assert_eq!(fault(&either, &json!({})), "$: the value does not fit anyOf");
    let one = json!({"oneOf": [{"type": "integer"}, {"minimum": 5}]});
    fits(&one, &json!(3));
    assert_eq!(fault(&one, &json!(7)), "$: the value does not fit oneOf");
    assert_eq!(
        fault(&json!({"allOf": [{"type": "string"}, {"minLength": 2}]}), &json!("x")),
        "$: the value violates minLength 2"
    );
}

#[test]
fn references_within_the_schema_are_followed() {
    let schema = json!({
        "$defs": { "node": { "type": "object", "properties": { "next": { "anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}] } }, "required": ["next"] } },
        "$ref": "#/$defs/node"
    });
    fits(&schema, &json!({"next": {"next": null}}));
    assert!(check(&schema, &json!({"next": {"next": 3}})).is_err());
    assert_eq!(fault(&json!({"$ref": "#/nowhere"}), &json!(1)), "$: the schema cannot be evaluated");
    assert_eq!(fault(&json!({"$ref": "https://example.com/schema"}), &json!(1)), "$: the schema cannot be evaluated");
}

#[test]
fn schemas_that_run_in_circles_come_to_an_end() {
    assert_eq!(fault(&json!({"$ref": "#"}), &json!(1)), "$: the schema cannot be evaluated");
    let doubling = json!({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]});
    assert_eq!(fault(&doubling, &json!(1)), "$: the schema cannot be evaluated");
}

#[test]
fn what_is_not_understood_is_let_through() {
    fits(&json!(true), &json!(1));
    fits(&json!({"pattern": "^a$", "format": "date"}), &json!("b"));
    assert_eq!(fault(&json!(false), &json!(1)), "$: no value is allowed here");
}
