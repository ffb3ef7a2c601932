//! Which shape a picture of a size has, and how that is said in words (protocol page "grok-web-media" §5).

/// Shapes that a size can stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AspectRatio {
    /// 1:1.
    Square,
    /// 16:9.
    Wide,
    /// 9:16.
    Tall,
    /// 3:2.
    Landscape,
    /// 2:3.
    Portrait,
}

/// Every size that can be asked for, with its shape. The upstream knows no sizes, only words.
pub const SIZES: [(&str, AspectRatio); 10] = [
    ("1024x1024", AspectRatio::Square),
    ("512x512", AspectRatio::Square),
    ("256x256", AspectRatio::Square),
    ("auto", AspectRatio::Square),
    ("1280x720", AspectRatio::Wide),
    ("720x1280", AspectRatio::Tall),
    ("1792x1024", AspectRatio::Landscape),
    ("1536x1024", AspectRatio::Landscape),
    ("1024x1792", AspectRatio::Portrait),
    ("1024x1536", AspectRatio::Portrait),
];

impl AspectRatio {
    /// The shape of a size as OpenAI's clients write it; `None` for one that cannot be asked for.
    pub fn of_size(size: &str) -> Option<Self> {
        SIZES.iter().find(|(known, _)| *known == size).map(|(_, ratio)| *ratio)
    }

    /// The numbers, as in `16:9`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Square => "1:1",
            Self::Wide => "16:9",
            Self::Tall => "9:16",
            Self::Landscape => "3:2",
            Self::Portrait => "2:3",
        }
    }

    /// The words that a model understands.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Square => "square",
            Self::Wide => "wide landscape format",
            Self::Tall => "tall portrait format",
            Self::Landscape => "landscape format",
            Self::Portrait => "portrait format",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_the_shapes_of_the_protocol_page() {
        for (size, ratio) in [
            ("1024x1024", Some("1:1")),
            ("512x512", Some("1:1")),
            ("256x256", Some("1:1")),
            ("auto", Some("1:1")),
            ("1280x720", Some("16:9")),
            ("720x1280", Some("9:16")),
            ("1792x1024", Some("3:2")),
            ("1536x1024", Some("3:2")),
            ("1024x1792", Some("2:3")),
            ("1024x1536", Some("2:3")),
            ("1x1", None),
            ("", None),
        ] {
            assert_eq!(AspectRatio::of_size(size).map(AspectRatio::as_str), ratio, "{size}");
        }
    }
}
