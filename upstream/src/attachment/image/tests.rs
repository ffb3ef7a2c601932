//! Sizes, frames, damage and mixtures.

#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;

fn all(width: u16, height: u16) -> [(ImageFormat, Bytes); 8] {
    let (w, h) = (u32::from(width), u32::from(height));
    [
        (ImageFormat::Png, samples::png(w, h)),
        (ImageFormat::Png, samples::png_with_frames(w, h, 3)),
        (ImageFormat::Jpeg, samples::jpeg(width, height)),
        (ImageFormat::Gif, samples::gif(width, height, 1)),
        (ImageFormat::Gif, samples::gif(width, height, 3)),
        (ImageFormat::Webp, samples::webp_lossless(w, h)),
        (ImageFormat::Webp, samples::webp_lossy(width, height)),
        (ImageFormat::Webp, samples::webp_animated(w, h, 3)),
    ]
}

fn with_tail(picture: &Bytes, tail: &[u8]) -> Bytes {
    [picture.as_ref(), tail].concat().into()
}

#[test]
fn m10_the_four_formats_pass_unchanged() {
    for (format, picture) in all(640, 480) {
        let checked = check(&picture).unwrap();
        assert_eq!((checked.format, &checked.bytes), (format, &picture));
        assert_eq!(ImageFormat::from_mime_type(&format.mime_type().to_uppercase()), Some(format));
        assert_eq!(format.file_name(), format.mime_type().replace('/', "."));
    }
    assert_eq!(ImageFormat::from_mime_type("image/jpg"), Some(ImageFormat::Jpeg));
    assert_eq!(ImageFormat::from_mime_type("image/svg+xml"), None);
}

#[test]
fn m10_other_formats_are_no_pictures() {
    for bytes in [
        &b""[..],
        b"\x89PNG",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"<html>",
        b"%PDF-1.7",
        b"BM\x36\x00",
        b"II*\x00",
        b"MM\x00*",
        b"\x00\x00\x01\x00",
        b"RIFF\x04\x00\x00\x00WAVE",
        b"GIF90a",
        b"\x00\x00\x00\x18ftypavif",
        b"PK\x03\x04",
        b"\xff\xd8",
        b"\xef\xbb\xbf<svg>",
        b" GIF89a",
        b"8BPS",
    ] {
        assert_eq!(check(&Bytes::copy_from_slice(bytes)), Err(ImageFault::UnknownFormat), "{bytes:?}");
    }
}

#[test]
fn m11_sides_and_areas_have_limits() {
    for (_, picture) in all(8192, 4882) {
        assert!(check(&picture).is_ok());
    }
    for (width, height) in [(8193, 1), (1, 8193), (10_000, 10_000), (8192, 4883), (8000, 8000)] {
        for (format, picture) in all(width, height) {
            assert_eq!(check(&picture), Err(ImageFault::TooLarge), "{format:?} {width}x{height}");
        }
    }
    assert_eq!(check(&samples::png(u32::MAX, u32::MAX)), Err(ImageFault::TooLarge));
    assert_eq!(check(&samples::png(0, 1)), Err(ImageFault::Damaged));
    assert_eq!(check(&samples::jpeg(1, 0)), Err(ImageFault::Damaged));
    assert_eq!(check(&samples::gif(0, 0, 1)), Err(ImageFault::Damaged));
}

#[test]
fn m11_a_hundred_frames_pass_and_one_more_does_not() {
    let animated = |frames| {
        [samples::png_with_frames(9, 9, frames), samples::gif(9, 9, frames), samples::webp_animated(9, 9, frames)]
    };
    for picture in animated(100) {
        assert!(check(&picture).is_ok());
    }
    for picture in animated(101) {
        assert_eq!(check(&picture), Err(ImageFault::TooLarge));
    }
}

#[test]
fn f65_archives_documents_and_programs_behind_a_picture_are_refused() {
    for (format, picture) in all(16, 16) {
        for tail in [
            &b"PK\x03\x04zip"[..],
            b"\x00\x00PK\x05\x06",
            b"%PDF-1.4",
            b"\n<html>",
            b"<ScRiPt>alert(1)</sCrIpT>",
            b"<svg onload=x>",
            b"<?php system($_GET['c']);",
            b"Rar!\x1a\x07",
            b"\x7fELF\x02",
        ] {
            assert_eq!(check(&with_tail(&picture, tail)), Err(ImageFault::Mixed), "{format:?} {tail:?}");
        }
    }
}

#[test]
fn f65_markup_inside_the_picture_is_refused_too() {
    let mut gif = b"GIF89a\x10\x00\x10\x00\x00\x00\x00\x21\xfe\x08<script>\x00".to_vec();
    gif.extend(b"\x2c\x00\x00\x00\x00\x10\x00\x10\x00\x00\x02\x02\x4c\x01\x00\x3b");
    assert_eq!(check(&gif.into()), Err(ImageFault::Mixed));
    // The screen size of this classic reads as a comment mark of a script.
    assert_eq!(
        check(&Bytes::from_static(b"GIF89a/*\x01\x00\x00\x00\x00*/=1;alert(1);//\x3b")),
        Err(ImageFault::TooLarge)
    );
}

#[test]
fn what_a_phone_appends_is_cut_off() {
    for (_, picture) in all(16, 16) {
        for tail in [&b"\0\0\0\0"[..], b"\x00\x00\x00\x18ftypmp42motion", samples::jpeg(4, 4).as_ref()] {
            assert_eq!(check(&with_tail(&picture, tail)).unwrap().bytes, picture);
        }
    }
}

#[test]
fn a_picture_cut_anywhere_is_damaged() {
    for (format, picture) in all(16, 16) {
        for end in 12..picture.len() {
            assert_eq!(check(&picture.slice(..end)), Err(ImageFault::Damaged), "{format:?} {end}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_checks_panic_or_grow(
        kind in 0_usize..8,
        flips in proptest::collection::vec((0_usize..400, proptest::prelude::any::<u8>()), 0..12),
        tail in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
    ) {
        let mut bytes = with_tail(&all(300, 200)[kind].1, &tail).to_vec();
        for (at, value) in flips {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        let length = bytes.len();
        if let Ok(checked) = check(&bytes.into()) {
            proptest::prop_assert!(checked.bytes.len() <= length);
        }
    }
}
