//! Reads tool calls from the text of a block or from a JSON answer.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::emulate::lenient::{self, Fault};

const CALL: &[&str] = &["tool_call"];
const NAME: &[&str] = &["tool_name", "name"];
const PARAMETERS: &[&str] = &["parameters", "arguments"];

/// One call as the model wrote it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ParsedCall {
    pub(super) name: String,
    /// JSON text of an object.
    pub(super) arguments: String,
}

/// Reads what stands between `<tool_calls` or `<tool_call` and the closing tag.
///
/// # Errors
///
/// [`Fault::Incomplete`] when the closing tag stood inside a JSON string: the block goes on.
pub(super) fn block(text: &str, close: &str) -> Result<Vec<ParsedCall>, Fault> {
    let mut reader = Reader { text };
    reader.attributes()?;
    if close == "</tool_call>" {
        let call = reader.call()?;
        return if reader.at_end() { Ok(vec![call]) } else { Err(Fault::Invalid) };
    }
    if let Some(rest) = reader.json_ahead() {
        return json_calls(rest, Shape::Inside);
    }
    let mut calls = Vec::new();
    while reader.open(CALL)?.is_some() {
        calls.push(reader.call()?);
        if reader.close("tool_call").is_err() && !reader.at_end() {
            return Err(Fault::Invalid);
        }
    }
    if reader.at_end() { Ok(calls) } else { Err(Fault::Invalid) }
}

/// Reads an answer that consists of an object with `tool_calls` or of an array of calls, perhaps within a code fence.
pub(super) fn whole_answer(text: &str) -> Result<Vec<ParsedCall>, Fault> {
    json_calls(text, Shape::Whole)
}

/// Where JSON calls stand: inside a tag it is clear that calls are meant.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Inside,
    Whole,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    tool_calls: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(alias = "tool_name", alias = "tool")]
    name: Option<String>,
    #[serde(borrow, alias = "parameters", alias = "input")]
    arguments: Option<&'a RawValue>,
    #[serde(borrow)]
    function: Option<&'a RawValue>,
}

fn json_calls(text: &str, shape: Shape) -> Result<Vec<ParsedCall>, Fault> {
    let text = unfenced(text);
    let (json, used) = lenient::read(text)?;
    if !ends(&text[used..]) {
        return Err(Fault::Invalid);
    }
    let items: Vec<&RawValue> = if json.starts_with('[') {
        serde_json::from_str(&json).map_err(|_| Fault::Invalid)?
    } else if let Ok(answer) = serde_json::from_str::<Answer<'_>>(&json) {
        answer.tool_calls
    } else if shape == Shape::Inside {
        serde_json::from_str(&json).map(|item| vec![item]).map_err(|_| Fault::Invalid)?
    } else {
        return Err(Fault::Invalid);
    };
    let bare = shape == Shape::Whole && json.starts_with('[');
    items.into_iter().map(|item| json_call(item.get(), bare)).collect()
}

/// Reads `{"name", "arguments"}` or `{"function": {"name", "arguments"}}`. A bare list of objects with names may be
/// data, therefore its items must have arguments.
fn json_call(json: &str, must_have_arguments: bool) -> Result<ParsedCall, Fault> {
    let call: Call<'_> = serde_json::from_str(json).map_err(|_| Fault::Invalid)?;
    match (call.name, call.function) {
        (Some(name), _) if call.arguments.is_some() || !must_have_arguments => {
            Ok(ParsedCall { name, arguments: json_arguments(call.arguments)? })
        }
        (None, Some(function)) if function.get().starts_with('{') => json_call(function.get(), must_have_arguments),
        (None, Some(name)) => {
            let name = serde_json::from_str(name.get()).map_err(|_| Fault::Invalid)?;
            Ok(ParsedCall { name, arguments: json_arguments(call.arguments)? })
        }
        (Some(_) | None, _) => Err(Fault::Invalid),
    }
}

/// Arguments as an object, or as a string that contains one.
fn json_arguments(arguments: Option<&RawValue>) -> Result<String, Fault> {
    let json = match arguments.map(RawValue::get) {
        None => "",
        Some(json) if json.starts_with('"') => &serde_json::from_str::<String>(json).map_err(|_| Fault::Invalid)?,
        Some(json) => json,
    };
    if json.trim().is_empty() {
        return Ok("{}".to_owned());
    }
    match lenient::read(json) {
        Ok((object, used)) if object.starts_with('{') && ends(&json[used..]) => Ok(object),
        Ok(_) | Err(_) => Err(Fault::Invalid), // the JSON around it was complete
    }
}

/// Whether nothing follows but the end of a code fence.
fn ends(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text == "```"
}

/// The text after the line of an opening code fence.
fn unfenced(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix("```").and_then(|rest| rest.split_once('\n')).map_or(text, |(_, inside)| inside.trim_start())
}

/// What is still to be read of a block.
struct Reader<'a> {
    text: &'a str,
}

impl<'a> Reader<'a> {
    /// Reads a call up to its closing tag.
    fn call(&mut self) -> Result<ParsedCall, Fault> {
        if let Some(rest) = self.json_ahead() {
            return self.json_call(rest);
        }
        let (mut name, mut arguments) = (None, None);
        loop {
            if let Some(tag) = self.open(NAME)? {
                name = Some(self.until_close(tag)?.trim().to_owned());
            } else if let Some(tag) = self.open(PARAMETERS)? {
                arguments = Some(self.parameters(tag)?);
            } else {
                break;
            }
        }
        match name {
            Some(name) => Ok(ParsedCall { name, arguments: arguments.unwrap_or_else(|| "{}".to_owned()) }),
            None => Err(Fault::Invalid),
        }
    }

    fn json_call(&mut self, rest: &'a str) -> Result<ParsedCall, Fault> {
        let (json, used) = lenient::read(rest)?;
        self.text = &rest[used..];
        self.skip("```");
        json_call(&json, false)
    }

    /// Reads the object inside a parameters element and its closing tag.
    fn parameters(&mut self, tag: &str) -> Result<String, Fault> {
        self.skip("<![CDATA[");
        if self.close(tag).is_ok() {
            return Ok("{}".to_owned());
        }
        let rest = unfenced(self.text);
        let (json, used) = lenient::read(rest)?;
        self.text = &rest[used..];
        self.skip("```");
        self.skip("]]>");
        self.close(tag)?;
        if json.starts_with('{') { Ok(json) } else { Err(Fault::Invalid) }
    }

    /// The text from a JSON bracket on, if that is what comes next.
    fn json_ahead(&self) -> Option<&'a str> {
        let rest = unfenced(self.text);
        rest.starts_with(['{', '[']).then_some(rest)
    }

    /// Steps over an opening tag of one of the names, with any attributes.
    fn open(&mut self, names: &[&'static str]) -> Result<Option<&'static str>, Fault> {
        let Some(tag) = self.text.trim_start().strip_prefix('<') else {
            return Ok(None);
        };
        for name in names {
            if let Some(rest) = tag.strip_prefix(name)
                && rest.starts_with(|c: char| c == '>' || c.is_ascii_whitespace())
            {
                self.text = rest;
                self.attributes()?;
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn attributes(&mut self) -> Result<(), Fault> {
        let (_, rest) = self.text.split_once('>').ok_or(Fault::Invalid)?;
        self.text = rest;
        Ok(())
    }

    fn close(&mut self, name: &str) -> Result<(), Fault> {
        let rest = self.text.trim_start().strip_prefix("</").and_then(|rest| rest.strip_prefix(name));
        self.text = rest.and_then(|rest| rest.trim_start().strip_prefix('>')).ok_or(Fault::Invalid)?;
        Ok(())
    }

    fn until_close(&mut self, name: &str) -> Result<&'a str, Fault> {
        let (inside, rest) = self.text.split_once('<').ok_or(Fault::Invalid)?;
        self.text = &self.text[self.text.len() - rest.len() - 1..];
        self.close(name)?;
        Ok(inside)
    }

    fn skip(&mut self, token: &str) {
        if let Some(rest) = self.text.trim_start().strip_prefix(token) {
            self.text = rest;
        }
    }

    fn at_end(&self) -> bool {
        self.text.trim().is_empty()
    }
}

#[cfg(test)]
mod tests;
