//! The protocol of the server of keys and values: requests read alike however they are cut, and no bytes are more
//! than a reason to end the connection.

use proptest::collection::vec;
use proptest::prelude::*;

#[expect(dead_code, reason = "the server's answers are not looked at here")]
#[path = "../../docs/examples/kv_server/protocol.rs"]
mod protocol;

use protocol::Input;

/// Each request as its arguments.
type Requests = Vec<Vec<Vec<u8>>>;

/// What is read of bytes that come in pieces of these lengths, in turns; and why it ended, if it did.
fn read(bytes: &[u8], lengths: &[usize]) -> (Requests, Option<String>) {
    let (mut input, mut requests, mut rest) = (Input::new(), Vec::new(), bytes);
    for length in lengths.iter().cycle() {
        loop {
            match input.next() {
                Ok(Some(request)) => requests.push(request.from(0).map(<[u8]>::to_vec).collect()),
                Ok(None) => break,
                Err(reason) => return (requests, Some(reason)),
            }
        }
        if rest.is_empty() {
            break;
        }
        let room = input.room();
        let length = (*length).min(rest.len()).min(room.len());
        assert!(length > 0, "there is always room");
        room[..length].copy_from_slice(&rest[..length]);
        input.came(length);
        rest = &rest[length..];
    }
    (requests, None)
}

fn written(requests: &Requests) -> Vec<u8> {
    let mut bytes = Vec::new();
    for request in requests {
        bytes.extend(format!("*{}\r\n", request.len()).bytes());
        for argument in request {
            bytes.extend(format!("${}\r\n", argument.len()).bytes());
            bytes.extend(argument);
            bytes.extend(b"\r\n");
        }
    }
    bytes
}

/// Bytes that look like the protocol more often than chance would have it.
fn like_the_protocol() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"*2\r\n".to_vec()),
        Just(b"$3\r\nGET\r\n".to_vec()),
        Just(b"$0\r\n\r\n".to_vec()),
        Just(b"PING a\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"*-1\r\n".to_vec()),
        Just(b"$99999999999999999999\r\n".to_vec()),
        vec(any::<u8>(), 0..4),
        vec(
            prop_oneof![Just(b'*'), Just(b'$'), Just(b'\r'), b'0'..=b'9'],
            0..4
        ),
    ];
    vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn kv_requests_read_alike_however_they_are_cut(
        requests in vec(vec(vec(any::<u8>(), 0..40), 1..6), 0..8),
        long in 0..40_000usize,
        lengths in vec(1..60usize, 1..10),
    ) {
        let mut requests: Requests = requests;
        if let Some(argument) = requests.first_mut().and_then(|request| request.first_mut()) {
            argument.resize(long, b'z');
        }
        let bytes = written(&requests);
        prop_assert_eq!(read(&bytes, &lengths), (requests.clone(), None));
        prop_assert_eq!(read(&bytes, &[bytes.len().max(1)]), (requests, None));
    }

    #[test]
    fn kv_any_bytes_are_requests_or_a_reason(
        bytes in like_the_protocol(),
        lengths in vec(1..9usize, 1..6),
    ) {
        prop_assert_eq!(read(&bytes, &lengths), read(&bytes, &[bytes.len().max(1)]));
    }
}
