//! Stickers.

use image::{GenericImageView, ImageFormat, load_from_memory};

use super::written::{BLUE, CLEAR, RED, encoded, gif, halves, moving_webp, prepared};
use crate::{Kind, PrepareError, sniff};

#[test]
fn webp_that_fits_is_kept() {
    for side in [512, 200] {
        let file = encoded(&halves(side, side, RED, CLEAR), ImageFormat::WebP);
        let sticker = prepared(&file, Kind::Sticker).unwrap();
        assert_eq!(sticker.converted, None);
        assert_eq!(sticker.mime, "image/webp");
        assert_eq!((sticker.width, sticker.height), (Some(side), Some(side)));
        assert!(!sticker.is_animated);
    }
}

#[test]
fn other_pictures_are_put_on_a_transparent_square() {
    let wide = halves(1_000, 500, RED, BLUE);
    let files = [
        encoded(&wide, ImageFormat::Png),
        encoded(&wide, ImageFormat::Jpeg),
        encoded(&wide, ImageFormat::WebP),
        gif(&[wide.clone(), halves(1_000, 500, CLEAR, CLEAR)]),
    ];
    for file in files {
        let sticker = prepared(&file, Kind::Sticker).unwrap();
        let webp = sticker.converted.unwrap();
        assert_eq!(sniff(&webp), Some("image/webp"));
        assert_eq!((sticker.width, sticker.height), (Some(512), Some(512)));
        assert!(!sticker.is_animated);
        let picture = load_from_memory(&webp).unwrap();
        assert_eq!(picture.dimensions(), (512, 512));
        assert_eq!(picture.get_pixel(256, 20).0[3], 0);
        assert_eq!(picture.get_pixel(256, 500).0[3], 0);
        let [red, _, blue, alpha] = picture.get_pixel(20, 256).0;
        assert!(red > 180 && blue < 60 && alpha == 255);
        let [red, _, blue, alpha] = picture.get_pixel(500, 256).0;
        assert!(blue > 180 && red < 60 && alpha == 255);
    }
}

#[test]
fn a_small_picture_is_enlarged() {
    let sticker = prepared(
        &encoded(&halves(64, 64, RED, BLUE), ImageFormat::Png),
        Kind::Sticker,
    );
    let picture = load_from_memory(&sticker.unwrap().converted.unwrap()).unwrap();
    assert_eq!(picture.get_pixel(2, 2).0[3], 255);
}

#[test]
fn what_moves_goes_on_moving() {
    for side in [96, 600] {
        let sticker = prepared(&moving_webp(side, 3), Kind::Sticker).unwrap();
        assert!(sticker.is_animated);
        assert_eq!(sticker.converted, None);
        assert_eq!((sticker.width, sticker.height), (Some(side), Some(side)));
    }
}

#[test]
fn what_is_no_sticker_is_refused() {
    let moving = moving_webp(96, 3);
    let error = prepared(&moving[..60], Kind::Sticker).unwrap_err();
    assert!(matches!(error, PrepareError::Broken { .. }), "{error:?}");
    let error = prepared(b"OggS and more of it", Kind::Sticker).unwrap_err();
    assert!(matches!(
        error,
        PrepareError::NotThis {
            expected: Kind::Sticker,
            ..
        }
    ));
    let mut large = moving_webp(96, 1);
    large.resize(1024 * 1024 + 1, 0);
    let error = prepared(&large, Kind::Sticker).unwrap_err();
    assert!(
        matches!(error, PrepareError::TooLarge { unit: "bytes", .. }),
        "{error:?}"
    );
}
