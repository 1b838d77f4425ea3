//! Any bytes are what inotify wrote: records that are there as they stand, in order, and of what is cut short those before it.
//!
//! *Input.* What a `read` of the descriptor brings. The parser is the crate's own, by a door that `--cfg fuzzing` opens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring_sys::watch::{Record, fuzz_inotify};

/// Descriptor of a watch, mask, cookie, length of the name.
const HEAD: usize = 16;

/// What may be told of a record with this mask: `IN_ISDIR` and what says nothing are told of by none.
const TOLD: [u32; 11] = [
    0x4000, 0x100, 0x80, 0x2, 0x4, 0x40, 0x200, 0x800, 0x400, 0x2000, 0x8000,
];
const IS_FOLDER: u32 = 0x4000_0000;

/// The whole records that the bytes begin with: number, mask, padded name.
fn read_slowly(mut bytes: &[u8]) -> Vec<(i32, u32, &[u8])> {
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    let mut all = Vec::new();
    while bytes.len() >= HEAD {
        let len = word(bytes, 12) as usize;
        if bytes.len() - HEAD < len {
            break;
        }
        let (number, mask) = (word(bytes, 0) as i32, word(bytes, 4));
        all.push((number, mask, &bytes[HEAD..HEAD + len]));
        bytes = &bytes[HEAD + len..];
    }
    all
}

fuzz_target!(|input: &[u8]| {
    let records = fuzz_inotify(input);
    let mut rest = &records[..];
    for (number, mask, padded) in read_slowly(input) {
        let count = TOLD.iter().filter(|flag| mask & **flag != 0).count();
        assert!(count <= rest.len(), "a record is missing");
        let (own, others) = rest.split_at(count);
        for record in own {
            assert_eq!(format!("{:?}", record.mark), format!("Mark({number})"));
            assert_eq!(record.is_folder, mask & IS_FOLDER != 0);
            let name = record.name.as_ref().map_or(&[][..], |name| name.as_encoded_bytes());
            assert!(padded.starts_with(name) && !name.contains(&0));
            // The name ends at the first zero, or with the record.
            assert!(padded.get(name.len()).is_none_or(|byte| *byte == 0));
            assert_eq!(record.name.is_none(), name.is_empty());
        }
        rest = others;
    }
    assert!(rest.is_empty(), "more than there is: {rest:?}");
    // However much a read brings, it is the beginning of the whole.
    let step = (input.len() / 16).max(1);
    for cut in (0..input.len()).step_by(step) {
        let told: Vec<Record> = fuzz_inotify(&input[..cut]);
        assert!(records.starts_with(&told), "{cut}");
    }
});
