//! `data:` addresses: strict base64 of one of the four picture formats (M12).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::image::{self, CheckedImage, ImageFault, ImageFormat};

/// Why a `data:` address is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataUrlFault {
    /// Not of the form `data:<type>;base64,<text>`.
    Malformed,
    /// More bytes than allowed.
    TooLong,
    /// Not a picture that we take.
    Image(ImageFault),
}

/// The parts of a `data:` address, not yet decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataUrl<'a> {
    declared: &'a str,
    text: &'a str,
}

/// Whether the text is a `data:` address at all.
pub(crate) fn is_data_url(text: &str) -> bool {
    text.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("data:"))
}

impl<'a> DataUrl<'a> {
    /// Takes the address apart (RFC 2397). Parameters before `;base64` are ignored.
    pub(crate) fn parse(url: &'a str) -> Result<Self, DataUrlFault> {
        let rest = url.get(5..).filter(|_| is_data_url(url)).ok_or(DataUrlFault::Malformed)?;
        let (head, text) = rest.split_once(',').ok_or(DataUrlFault::Malformed)?;
        let (media_type, coding) = head.rsplit_once(';').ok_or(DataUrlFault::Malformed)?;
        if !coding.trim().eq_ignore_ascii_case("base64") {
            return Err(DataUrlFault::Malformed);
        }
        let declared = media_type.split(';').next().unwrap_or_default().trim();
        Ok(Self { declared, text })
    }

    /// Most bytes that the text can decode to.
    pub(crate) fn max_decoded_len(&self) -> usize {
        self.text.len() / 4 * 3 + 3
    }

    /// Decodes and checks. Linear in the length; long texts belong on a blocking thread.
    pub(crate) fn decode(&self, max_bytes: usize) -> Result<CheckedImage, DataUrlFault> {
        let declared =
            ImageFormat::from_mime_type(self.declared).ok_or(DataUrlFault::Image(ImageFault::TypeNotTaken))?;
        // Four characters a group of three bytes, one group of slack for padding.
        if self.text.len() / 4 > max_bytes / 3 + 1 {
            return Err(DataUrlFault::TooLong);
        }
        let bytes = STANDARD.decode(self.text).map_err(|_| DataUrlFault::Image(ImageFault::Base64))?;
        if bytes.len() > max_bytes {
            return Err(DataUrlFault::TooLong);
        }
        let bytes = Bytes::from(bytes);
        match ImageFormat::sniff(&bytes) {
            Some(format) if format != declared => Err(DataUrlFault::Image(ImageFault::WrongType)),
            Some(_) | None => image::check(&bytes).map_err(DataUrlFault::Image),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;
    use crate::attachment::image::samples;

    const MIB: usize = 1024 * 1024;

    fn decode(url: &str) -> Result<CheckedImage, DataUrlFault> {
        DataUrl::parse(url)?.decode(MIB)
    }

    fn encoded(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    #[test]
    fn m12_pictures_pass_with_any_spelling_of_the_head() {
        let png = samples::png(3, 3);
        for head in [
            "data:image/png;base64",
            "DATA:Image/PNG;BASE64",
            "data:image/png;name=a.png;base64",
            "data:image/png ; base64",
        ] {
            assert_eq!(decode(&format!("{head},{}", encoded(&png))).unwrap().bytes, png, "{head}");
        }
        let jpeg = samples::jpeg(3, 3);
        assert_eq!(decode(&format!("data:image/jpg;base64,{}", encoded(&jpeg))).unwrap().format, ImageFormat::Jpeg);
    }

    #[test]
    fn m12_what_is_no_base64_data_url_is_malformed() {
        for url in [
            "",
            "data",
            "data:",
            "data:image/png",
            "data:image/png,abc",
            "data:image/png;base64",
            "data:;base32,AA",
            "xdata:image/png;base64,AA",
            "date:image/png;base64,AA",
        ] {
            assert_eq!(decode(url), Err(DataUrlFault::Malformed), "{url}");
        }
        assert!(!is_data_url("dat\u{e9}:"));
    }

    #[test]
    fn m12_base64_is_read_strictly() {
        let text = encoded(&samples::png(3, 3));
        let padded = text.ends_with('=');
        for bad in [
            format!("{text}="),
            format!(" {text}"),
            format!("{text}\n"),
            format!("{}\n{}", &text[..8], &text[8..]),
            text.replacen('i', "-", 1),
            format!("{text}*"),
            text[..text.len() - 1].to_owned(),
            format!("{text}AA"),
            text.replace('=', "%3D") + if padded { "" } else { "%" },
        ] {
            assert_eq!(
                decode(&format!("data:image/png;base64,{bad}")),
                Err(DataUrlFault::Image(ImageFault::Base64)),
                "{bad}"
            );
        }
    }

    #[test]
    fn m10_the_declared_type_must_be_one_of_ours_and_true() {
        let png = encoded(&samples::png(3, 3));
        let fault = |url: &str| decode(url).unwrap_err();
        assert_eq!(fault(&format!("data:image/gif;base64,{png}")), DataUrlFault::Image(ImageFault::WrongType));
        for declared in ["image/svg+xml", "text/html", "application/octet-stream", "", "image/*", "image/avif"] {
            assert_eq!(
                fault(&format!("data:{declared};base64,{png}")),
                DataUrlFault::Image(ImageFault::TypeNotTaken),
                "{declared}"
            );
        }
        let svg = encoded(b"<svg xmlns='http://www.w3.org/2000/svg'/>");
        assert_eq!(fault(&format!("data:image/png;base64,{svg}")), DataUrlFault::Image(ImageFault::UnknownFormat));
        assert_eq!(fault("data:image/png;base64,"), DataUrlFault::Image(ImageFault::UnknownFormat));
    }

    #[test]
    fn m9_the_length_is_known_before_anything_is_decoded() {
        let url = format!("data:image/png;base64,{}", "A".repeat(2 * MIB));
        assert_eq!(decode(&url), Err(DataUrlFault::TooLong));
        let url = format!("data:image/png;base64,{}", encoded(&samples::png_of_bytes(MIB)));
        assert_eq!(decode(&url), Err(DataUrlFault::TooLong));
        assert!(DataUrl::parse("data:image/png;base64,AAAA").unwrap().max_decoded_len() >= 3);
    }
}
