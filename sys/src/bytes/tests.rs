//! Search and text, against the obvious.

use super::{find, text};

#[test]
fn the_first_byte_is_found_wherever_it_stands_and_whatever_stands_around_it() {
    // Neighbours of what is searched, and bytes with the highest bit.
    for byte in [b'\n', 0, 1, 0x7f, 0x80, 0xff] {
        for other in [byte.wrapping_add(1), byte.wrapping_sub(1), byte ^ 0x80] {
            for len in 0..70 {
                let mut bytes = vec![other; len];
                assert_eq!(find(byte, &bytes), None);
                for at in (0..len).rev() {
                    bytes[at] = byte;
                    assert_eq!(find(byte, &bytes), Some(at), "{len} of {other}");
                    // What stands behind the slice is not looked at.
                    assert_eq!(find(byte, &bytes[..at]), None);
                }
            }
        }
    }
}

#[test]
fn text_is_what_std_takes_for_text() {
    for len in 0..70 {
        let plain = vec![0x7f; len];
        assert_eq!(text(&plain).map(str::len), Ok(len));
        for at in 0..len {
            for stranger in [0x80, 0xff, 0xc3] {
                let mut bytes = plain.clone();
                bytes[at] = stranger;
                assert_eq!(text(&bytes), std::str::from_utf8(&bytes));
                assert!(text(&bytes).is_err(), "{stranger} at {at} of {len}");
                if let Some(second) = bytes.get_mut(at + 1) {
                    *second = 0xa9;
                    assert_eq!(text(&bytes), std::str::from_utf8(&bytes));
                    assert_eq!(text(&bytes).is_ok(), stranger == 0xc3);
                }
            }
        }
    }
}
