//! The search against the obvious one.

use super::find;

#[test]
fn the_first_delimiter_is_found_wherever_it_stands_and_whatever_stands_around_it() {
    // Neighbours of the delimiter, bytes with the highest bit, and what a borrow might be taken from.
    for delimiter in [b'\n', 0, 1, 0x7f, 0x80, 0xff] {
        let around = [
            delimiter.wrapping_add(1),
            delimiter.wrapping_sub(1),
            delimiter ^ 0x80,
            b'x',
        ];
        for len in 0..40 {
            for other in around {
                let mut bytes = vec![other; len];
                assert_eq!(find(delimiter, &bytes), None);
                for at in (0..len).rev() {
                    bytes[at] = delimiter;
                    assert_eq!(find(delimiter, &bytes), Some(at), "{len} of {other}");
                }
            }
        }
    }
}
