//! Looks into a file part: text to inline, a picture to upload, or neither.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Base64 characters that cover every picture signature (12 bytes).
const SIGNATURE_CHARS: usize = 16;

/// What a file part turned out to be.
#[derive(Debug, PartialEq)]
pub(super) enum FileContent<'a> {
    /// Text, without a byte order mark.
    Text(String),
    /// A picture as a `data:` URL.
    Image(Cow<'a, str>),
}

/// Why a file part is of no use.
#[derive(Debug, PartialEq)]
pub(super) enum FileFault {
    /// Its data cannot be decoded.
    Broken,
    /// It is something else than text or a picture.
    Unsupported,
}

/// Decides by the bytes alone: declared types and file names are often wrong.
pub(super) fn read(data: &str) -> Result<FileContent<'_>, FileFault> {
    let Some((meta, payload)) = split_data_url(data)? else {
        return read_base64(None, data);
    };
    if meta.len() >= 7 && meta.as_bytes()[meta.len() - 7..].eq_ignore_ascii_case(b";base64") {
        return read_base64(Some(data), payload);
    }
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(payload).collect();
    match picture_type(&bytes) {
        Some(mime) => Ok(FileContent::Image(Cow::Owned(format!("data:{mime};base64,{}", BASE64.encode(&bytes))))),
        None => read_text(bytes),
    }
}

/// Splits a data URL into what stands before and after its first comma; `None` if it is no URL.
fn split_data_url(data: &str) -> Result<Option<(&str, &str)>, FileFault> {
    match data.split_at_checked(5) {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("data:") => {
            rest.split_once(',').map(Some).ok_or(FileFault::Broken)
        }
        _ => Ok(None),
    }
}

fn read_base64<'a>(url: Option<&'a str>, payload: &'a str) -> Result<FileContent<'a>, FileFault> {
    let dense: Cow<'_, str> = if payload.bytes().any(|byte| byte.is_ascii_whitespace()) {
        payload.split_ascii_whitespace().collect::<String>().into()
    } else {
        payload.into()
    };
    let start = BASE64.decode(&dense.as_bytes()[..dense.len().min(SIGNATURE_CHARS)]).map_err(|_| FileFault::Broken)?;
    if let Some(mime) = picture_type(&start) {
        return Ok(FileContent::Image(match url {
            Some(url) => Cow::Borrowed(url), // goes on undecoded
            None => Cow::Owned(format!("data:{mime};base64,{dense}")),
        }));
    }
    read_text(BASE64.decode(dense.as_bytes()).map_err(|_| FileFault::Broken)?)
}

fn picture_type(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ => None,
    }
}

fn read_text(mut bytes: Vec<u8>) -> Result<FileContent<'static>, FileFault> {
    if bytes.starts_with(b"%PDF-") {
        return Err(FileFault::Unsupported); // some of them are pure ASCII
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let is_binary = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    if bytes.iter().any(is_binary) {
        return Err(FileFault::Unsupported);
    }
    String::from_utf8(bytes).map(FileContent::Text).map_err(|_| FileFault::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";

    fn text(text: &str) -> FileContent<'_> {
        FileContent::Text(text.to_owned())
    }

    #[test]
    fn text_is_decoded_whatever_its_declared_type() {
        assert_eq!(read("data:text/plain;base64,aGVsbG8="), Ok(text("hello")));
        assert_eq!(read("DATA:application/octet-stream;charset=utf-8;BASE64,aGVsbG8"), Ok(text("hello")));
        assert_eq!(read("aGVs\r\nbG8="), Ok(text("hello")));
        assert_eq!(read("data:text/csv,a%2Cb%0A1,2"), Ok(text("a,b\n1,2")));
        assert_eq!(read("data:;base64,77u/eA=="), Ok(text("x")));
        assert_eq!(read("data:text/plain;base64,"), Ok(text("")));
    }

    #[test]
    fn pictures_stay_encoded() {
        let url = format!("data:application/octet-stream;base64,{PNG}");
        assert_eq!(read(&url), Ok(FileContent::Image(Cow::Borrowed(&url))));
        assert_eq!(read(PNG), Ok(FileContent::Image(Cow::Owned(format!("data:image/png;base64,{PNG}")))));
        assert_eq!(read("data:image/gif,GIF89a"), Ok(FileContent::Image("data:image/gif;base64,R0lGODlh".into())));
        assert!(matches!(read("data:;base64,/9j/4AAQ"), Ok(FileContent::Image(_))));
        assert!(matches!(read("data:;base64,UklGRgAAAABXRUJQ"), Ok(FileContent::Image(_))));
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(read("data:text/plain;base64,JVBERi0xLjQK"), Err(FileFault::Unsupported)); // a PDF
        assert_eq!(read("data:text/plain;base64,UEsDBAo="), Err(FileFault::Unsupported)); // a ZIP archive
        assert_eq!(read("data:text/plain;base64,/////w=="), Err(FileFault::Unsupported)); // not UTF-8
        assert_eq!(read("data:text/plain;base64"), Err(FileFault::Broken));
        assert_eq!(read("not base64!"), Err(FileFault::Broken));
    }
}
