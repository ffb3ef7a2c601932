//! How a value looks when it comes as text: from the environment or the command line.

use serde_json::Value;

use super::Refusal;

/// How a value looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Whole,
    /// Any text.
    Text,
    /// One of these names.
    Choice(&'static [&'static str]),
    /// Values separated by commas, or a JSON list.
    List,
    /// A JSON object.
    Map,
}

impl Shape {
    /// The value that `text` stands for; its bounds are not checked yet.
    pub(crate) fn parse(self, text: &str) -> Result<Value, Refusal> {
        match self {
            Self::Flag => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(Value::Bool(true)),
                "false" | "0" | "no" | "off" => Ok(Value::Bool(false)),
                _ => Err(Refusal::Expected("true or false")),
            },
            Self::Whole => {
                let number: u64 = text.trim().parse().map_err(|_| Refusal::Expected("a whole number"))?;
                Ok(Value::from(number))
            }
            Self::Text | Self::Choice(_) => Ok(Value::from(text)),
            Self::List if text.trim_start().starts_with('[') => {
                serde_json::from_str(text).map_err(|_| Refusal::Expected("values separated by commas or a JSON list"))
            }
            Self::List => Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()),
            Self::Map => serde_json::from_str(text).map_err(|_| Refusal::Expected("a JSON object")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_becomes_the_value_its_shape_says() {
        assert_eq!(Shape::Flag.parse(" On "), Ok(json!(true)));
        assert_eq!(Shape::Flag.parse("maybe"), Err(Refusal::Expected("true or false")));
        assert_eq!(Shape::Whole.parse("120"), Ok(json!(120)));
        assert_eq!(Shape::Whole.parse("12s"), Err(Refusal::Expected("a whole number")));
        assert_eq!(Shape::Text.parse("0123"), Ok(json!("0123")));
        assert_eq!(Shape::List.parse("8443, 9443,"), Ok(json!(["8443", "9443"])));
        assert_eq!(Shape::List.parse("[8443]"), Ok(json!([8443])));
        assert_eq!(Shape::Map.parse(r#"{"x-a":"b"}"#), Ok(json!({"x-a": "b"})));
    }
}
