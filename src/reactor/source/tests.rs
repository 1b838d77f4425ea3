//! What a source costs where nothing happens.

use super::Source;

#[test]
fn a_source_is_nine_words_beside_its_counts() {
    assert!(size_of::<Source>() <= 72, "{}", size_of::<Source>());
}
