//! Any bytes are a message or an error, and what was read is written and read again.
//!
//! *Input.* The bytes, as they come over a socket.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mainspring::net::dns::{Data, MESSAGE_MAX, Message};

fuzz_target!(|input: &[u8]| {
    let head = Message::parse_head(input);
    let Ok(message) = Message::parse(input) else {
        return;
    };
    // The head says the same of what it has.
    let head = head.expect("the whole was read");
    assert_eq!((head.id, &head.questions), (message.id, &message.questions));
    // A record takes 11 bytes at least: counts that lie cost nothing.
    let count = message.answers.len() + message.authority.len() + message.additional.len();
    assert!(count * 11 <= input.len());
    let sections = [&message.answers, &message.authority, &message.additional];
    for record in sections.into_iter().flatten() {
        let target = match &record.data {
            Data::Cname(target) | Data::Ptr(target) => target,
            _ => &record.name,
        };
        for name in [&record.name, target] {
            assert!(name.labels().map(|label| label.len() + 1).sum::<usize>() < 255);
            // What it is shown as can be printed anywhere, and a host's name is read back.
            let text = name.to_string();
            assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
            if name.is_host_name() {
                assert_eq!(text.parse().as_ref(), Ok(name));
            }
        }
    }
    // Written without pointers it may be too long; then it says so, and holds the beginning.
    let bytes = message.encode(MESSAGE_MAX);
    let Ok(again) = Message::parse(&bytes) else {
        panic!("what was written is read");
    };
    let counts = |of: &Message| [&of.answers, &of.authority, &of.additional].map(|it| it.len());
    if counts(&again) == counts(&message) {
        assert_eq!(again, message);
    } else {
        assert!(again.is_truncated && message.answers.starts_with(&again.answers));
    }
});
