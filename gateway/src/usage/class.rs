//! Kinds of characters and what they cost.

/// Kinds of characters that cost alike.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class {
    Lower,
    Upper,
    /// Accented letters of Western Europe.
    Latin1,
    /// Accented letters of other languages, such as Polish and Turkish.
    LatinExtended,
    /// Letters with two marks, as in Vietnamese.
    LatinAdditional,
    Digit,
    Space,
    LineBreak,
    Punctuation,
    Cyrillic,
    Greek,
    /// Arabic and Hebrew.
    RightToLeft,
    Indic,
    Thai,
    Hangul,
    Kana,
    Han,
    /// Frequent one-character words of Chinese, which seldom merge with their neighbours.
    HanFunction,
    CjkPunctuation,
    /// Dashes, curly quotes, the ellipsis.
    Typography,
    /// Joins and varies emoji.
    Joiner,
    Emoji,
    Other,
}

/// Every class, in the order of their numbers.
pub(super) const CLASSES: [Class; 23] = [
    Class::Lower,
    Class::Upper,
    Class::Latin1,
    Class::LatinExtended,
    Class::LatinAdditional,
    Class::Digit,
    Class::Space,
    Class::LineBreak,
    Class::Punctuation,
    Class::Cyrillic,
    Class::Greek,
    Class::RightToLeft,
    Class::Indic,
    Class::Thai,
    Class::Hangul,
    Class::Kana,
    Class::Han,
    Class::HanFunction,
    Class::CjkPunctuation,
    Class::Typography,
    Class::Joiner,
    Class::Emoji,
    Class::Other,
];

impl Class {
    /// The class of a character.
    pub(super) fn of(c: char) -> Self {
        match u32::from(c) {
            code @ 0..=0x7f => ASCII[code as usize],
            0xd7 | 0xf7 => Self::Other, // × and ÷
            0xc0..=0xff => Self::Latin1,
            0x100..=0x24f => Self::LatinExtended,
            0x1e00..=0x1eff => Self::LatinAdditional,
            0x370..=0x3ff => Self::Greek,
            0x400..=0x52f => Self::Cyrillic,
            0x590..=0x6ff | 0x750..=0x77f => Self::RightToLeft,
            0x900..=0xdff => Self::Indic,
            0xe00..=0xeff => Self::Thai,
            0x200d | 0xfe0f => Self::Joiner,
            0x2010..=0x206f => Self::Typography,
            0x3000..=0x303f | 0xff00..=0xffef => Self::CjkPunctuation,
            0x3040..=0x30ff => Self::Kana,
            code @ HAN_FIRST..=HAN_LAST if is_function_word(code) => Self::HanFunction,
            0x3400..=HAN_LAST => Self::Han,
            0xac00..=0xd7af => Self::Hangul,
            0x1_0000.. => Self::Emoji,
            _ => Self::Other,
        }
    }

    /// Whether its characters form words together with the other Latin letters.
    pub(super) const fn is_latin(self) -> bool {
        matches!(self, Self::Lower | Self::Upper | Self::Latin1 | Self::LatinExtended | Self::LatinAdditional)
    }

    /// Places in a run that are told apart; all later ones count as the last of them.
    pub(super) const fn longest_run(self) -> u8 {
        match self {
            Self::Lower | Self::Upper | Self::Latin1 | Self::LatinExtended | Self::LatinAdditional => 10,
            Self::Cyrillic => 6,
            Self::Digit | Self::Space => 3,
            Self::LineBreak
            | Self::Punctuation
            | Self::Greek
            | Self::RightToLeft
            | Self::Indic
            | Self::Thai
            | Self::Hangul
            | Self::Kana
            | Self::Han
            | Self::HanFunction
            | Self::CjkPunctuation
            | Self::Typography
            | Self::Joiner
            | Self::Emoji
            | Self::Other => 2,
        }
    }

    /// Number of the state at the beginning of a run.
    pub(super) const fn first_state(self) -> u8 {
        let (mut state, mut class) = (0, 0);
        while class < self as usize {
            state += CLASSES[class].longest_run();
            class += 1;
        }
        state
    }

    /// Thousandths of a token for the first character of a word and for each further one.
    pub(super) const fn weights(self) -> (u16, u16) {
        match self {
            Self::Lower | Self::Upper => (0, 0),
            Self::Latin1 => (230, 230),
            Self::LatinExtended => (1700, 1700),
            Self::LatinAdditional => (50, 50),
            Self::Digit => (1550, 0),
            Self::Space => (0, 540),
            Self::LineBreak => (300, 0),
            Self::Punctuation => (890, 200),
            Self::Cyrillic => (1220, 117),
            Self::Greek => (830, 330),
            Self::RightToLeft => (1330, 130),
            Self::Indic => (590, 290),
            Self::Thai => (930, 430),
            Self::Hangul => (1720, 220),
            Self::Kana => (800, 800),
            Self::Han => (600, 600),
            Self::HanFunction => (1250, 1250),
            Self::CjkPunctuation => (460, 460),
            Self::Typography => (300, 300),
            Self::Joiner => (740, 740),
            Self::Emoji => (1810, 1810),
            Self::Other => (1270, 1270),
        }
    }

    /// What a Latin word adds that begins after a character of this class.
    pub(super) const fn before_latin_word(self) -> u16 {
        if matches!(self, Self::Space | Self::LineBreak) {
            890
        } else if matches!(self, Self::Lower) {
            750 // the hump of a camelCase name
        } else {
            540 // often one token with the sign before it
        }
    }
}

const ASCII: [Class; 128] = {
    let mut classes = [Class::Punctuation; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        classes[byte as usize] = match byte {
            b'a'..=b'z' => Class::Lower,
            b'A'..=b'Z' => Class::Upper,
            b'0'..=b'9' => Class::Digit,
            b' ' => Class::Space,
            b'\t' | b'\n' | b'\r' => Class::LineBreak,
            _ => Class::Punctuation,
        };
        byte += 1;
    }
    classes
};

const HAN_FIRST: u32 = 0x4e00;
const HAN_LAST: u32 = 0x9fff;

const FUNCTION_WORDS: &str = "的了是在我有和就不人都一个也他她它这着来去到说又把被让给那里们很还从对吧呢吗啊为与及或而但要会能可以\
                              上下前后大小多少年月日天地得过只用向再最没已经個來說這還從與對為們裡沒過後";

/// One bit for each Han character of the main block.
const FUNCTION_BITS: [u64; (HAN_LAST - HAN_FIRST + 1) as usize / 64] = {
    let mut bits = [0; (HAN_LAST - HAN_FIRST + 1) as usize / 64];
    let bytes = FUNCTION_WORDS.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] as u32 & 0xf) << 12 | (bytes[at + 1] as u32 & 0x3f) << 6 | (bytes[at + 2] as u32 & 0x3f);
        let offset = (code - HAN_FIRST) as usize;
        bits[offset / 64] |= 1_u64 << (offset % 64);
        at += 3; // every one of them has three bytes
    }
    bits
};

fn is_function_word(code: u32) -> bool {
    let offset = (code - HAN_FIRST) as usize;
    FUNCTION_BITS[offset / 64] >> (offset % 64) & 1 == 1
}
