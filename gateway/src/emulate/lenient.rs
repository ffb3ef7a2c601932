//! Reads JSON as language models write it and gives valid, compact JSON back.

use std::fmt::Write as _;

use serde::de::IgnoredAny;

/// Deepest nesting that is read; `serde_json` itself ends at 128.
const MAX_DEPTH: usize = 100;

/// Why a text is no JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The text ends before the value does.
    Incomplete,
    /// The value is broken beyond repair.
    Invalid,
}

/// Reads one value at the start of `input`; gives its JSON text and the bytes that it took.
///
/// Numbers, keys and their order stay as written. Repaired are commas before a closing bracket, strings and keys in
/// single quotes, keys without quotes, line breaks and unknown escapes in strings, and Python's `True`, `False`, `None`.
pub(crate) fn read(input: &str) -> Result<(String, usize), Fault> {
    let mut reader = Reader { input, at: 0, json: String::new() };
    reader.value(MAX_DEPTH)?;
    let Reader { at, json, .. } = reader;
    match serde_json::from_str::<IgnoredAny>(&json) {
        Ok(_) => Ok((json, at)), // also checks what is copied unread: numbers and \u escapes
        Err(_) => Err(Fault::Invalid),
    }
}

/// Removes the white space between the tokens of a JSON text. Another text comes back in some form or other.
pub(crate) fn compact(json: &str) -> String {
    let mut compact = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c == '"' {
            in_string = true;
        } else if matches!(c, ' ' | '\t' | '\r' | '\n') {
            continue;
        }
        compact.push(c);
    }
    compact
}

struct Reader<'a> {
    input: &'a str,
    at: usize,
    json: String,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        self.skip_space();
        match self.peek()? {
            '{' if depth > 0 => self.object(depth - 1),
            '[' if depth > 0 => self.array(depth - 1),
            quote @ ('"' | '\'') => self.string(quote),
            '-' | '0'..='9' => {
                let number = self.take_while(|c| matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
                self.json.push_str(number);
                Ok(())
            }
            _ => self.word(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        self.members('}', |reader| {
            match reader.peek()? {
                quote @ ('"' | '\'') => reader.string(quote)?,
                _ => reader.bare_key()?,
            }
            reader.skip_space();
            if reader.peek()? != ':' {
                return Err(Fault::Invalid);
            }
            reader.copy(':');
            reader.value(depth)
        })
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        self.members(']', |reader| reader.value(depth))
    }

    /// Reads what stands between a pair of brackets, separated by commas.
    fn members(&mut self, close: char, mut member: impl FnMut(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        let open = self.peek()?;
        self.copy(open);
        let mut first = true;
        loop {
            self.skip_space();
            if self.peek()? == close {
                self.copy(close); // also after a comma too many
                return Ok(());
            }
            if !first {
                self.json.push(',');
            }
            first = false;
            member(self)?;
            self.skip_space();
            match self.peek()? {
                ',' => self.at += 1,
                next if next == close => {}
                _ => return Err(Fault::Invalid),
            }
        }
    }

    fn string(&mut self, quote: char) -> Result<(), Fault> {
        self.at += 1;
        self.json.push('"');
        loop {
            let plain = self.take_while(|c| c != quote && c != '\\' && c != '"' && c >= ' ');
            self.json.push_str(plain);
            match self.peek()? {
                c if c == quote => {
                    self.at += 1;
                    self.json.push('"');
                    return Ok(());
                }
                '\\' => self.escape()?,
                '"' => {
                    self.at += 1;
                    self.json.push_str("\\\""); // within single quotes
                }
                control => {
                    self.at += 1;
                    match control {
                        '\n' => self.json.push_str("\\n"),
                        '\r' => self.json.push_str("\\r"),
                        '\t' => self.json.push_str("\\t"),
                        other => drop(write!(self.json, "\\u{:04x}", u32::from(other))),
                    }
                }
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        self.at += 1;
        match self.peek()? {
            c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u') => {
                self.json.push('\\');
                self.copy(c);
            }
            '\'' => self.copy('\''),
            _ => self.json.push_str("\\\\"), // a lone backslash, as in a regular expression; the character is read next
        }
        Ok(())
    }

    fn bare_key(&mut self) -> Result<(), Fault> {
        let key = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-'));
        if key.is_empty() {
            return Err(Fault::Invalid);
        }
        self.json.extend(["\"", key, "\""]);
        Ok(())
    }

    fn word(&mut self) -> Result<(), Fault> {
        let word = self.take_while(|c| c.is_ascii_alphabetic());
        self.json.push_str(match word {
            "true" | "True" => "true",
            "false" | "False" => "false",
            "null" | "None" => "null",
            "" => return Err(Fault::Invalid),
            _ if self.at == self.input.len() => return Err(Fault::Incomplete),
            _ => return Err(Fault::Invalid),
        });
        Ok(())
    }

    fn peek(&self) -> Result<char, Fault> {
        self.input[self.at..].chars().next().ok_or(Fault::Incomplete)
    }

    fn copy(&mut self, c: char) {
        self.at += c.len_utf8();
        self.json.push(c);
    }

    fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = &self.input[self.at..];
        let length = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]

    use proptest::prelude::*;

    use super::*;

    fn repaired(input: &str) -> String {
        read(input).unwrap().0
    }

    #[test]
    fn valid_json_keeps_its_numbers_keys_and_order() {
        let json =
            r#" { "z" : 1.50e+3, "a": [ -0, 12345678901234567890 ], "s": "a\u00e9\n\"\/", "e": {}, "n": null } "#;
        assert_eq!(
            repaired(json),
            r#"{"z":1.50e+3,"a":[-0,12345678901234567890],"s":"a\u00e9\n\"\/","e":{},"n":null}"#
        );
    }

    #[test]
    fn small_faults_are_repaired() {
        assert_eq!(repaired(r#"{"a":[1,2,],}"#), r#"{"a":[1,2]}"#);
        assert_eq!(repaired(r#"{'a':'say \'"hi"\'',"b":True}"#), r#"{"a":"say '\"hi\"'","b":true}"#);
        assert_eq!(repaired("{city: None, x-y: False}"), r#"{"city":null,"x-y":false}"#);
        assert_eq!(repaired("{\"a\":\"one\ntwo\tthree\u{1}\"}"), r#"{"a":"one\ntwo\tthree\u0001"}"#);
        assert_eq!(repaired(r#"{"regex":"\d+\."}"#), r#"{"regex":"\\d+\\."}"#);
    }

    #[test]
    fn reading_ends_with_the_value() {
        assert_eq!(read("{} and more").unwrap().1, 2);
        assert_eq!(read(" [1] [2]").unwrap(), ("[1]".to_owned(), 4));
    }

    #[test]
    fn what_only_lacks_its_end_is_incomplete() {
        for input in ["", "{", r#"{"a"#, r#"{"a":"#, r#"{"a":"b"#, r#"{"a":"b\"#, "[1", "[1,", "tru"] {
            assert_eq!(read(input), Err(Fault::Incomplete), "{input}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_invalid() {
        for input in ["nonsense ", "{,}", "[,]", "{1 2}", "[1 2]", "{\"a\" 1}", "01", "1.e", "\"\\uZZZZ\"", "}", "<b>"]
        {
            assert_eq!(read(input), Err(Fault::Invalid), "{input}");
        }
        assert_eq!(read(&"[".repeat(5000)), Err(Fault::Invalid));
    }

    #[test]
    fn compacting_keeps_the_space_in_strings() {
        assert_eq!(compact("{ \"a b\" :\n [ \"c \\\" d\" , 1 ] }"), r#"{"a b":["c \" d",1]}"#);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_to_valid_json(input in "[\\[\\]{}:,'\"\\\\ abtu1.eé\n-]{0,40}") {
            if let Ok((json, used)) = read(&input) {
                prop_assert!(serde_json::from_str::<IgnoredAny>(&json).is_ok());
                prop_assert!(input.is_char_boundary(used));
            }
        }
    }
}
