//! Any bytes, cut anywhere, as requests one after the other: nothing panics, what comes out does not depend on the cuts, and what was
//! taken for a request holds what the parser promises.
//!
//! *Input.* The number of cuts, the cuts, the bytes.
#![no_main]

#[allow(dead_code, reason = "the server uses the rest")]
#[path = "../../../docs/examples/http_server/request.rs"]
mod request;

use libfuzzer_sys::fuzz_target;
use request::{Body, Chunks, Found, Part, Refusal, find_end, parse, part, path};

const HEAD_MAX: usize = 1024;
const BODY_MAX: u64 = 4096;

/// What a connection says, as far as it goes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    /// What each head is, in words, and the bytes of its body.
    requests: Vec<(String, Vec<u8>)>,
    /// Where the last whole one ends.
    end: usize,
    refusal: Option<Refusal>,
}

/// Where in a request the bytes are.
enum Place {
    Head(usize),
    Length(u64),
    Chunks(Chunks),
}

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let (cuts, bytes) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let whole = listen(bytes, &[]);
    assert_eq!(listen(bytes, cuts), whole, "cut by {cuts:?}");
    assert_eq!(listen(bytes, &[1]), whole, "cut everywhere");
});

/// Gives the bytes in pieces whose sizes `cuts` says, again and again; without any, all at once.
fn listen(bytes: &[u8], cuts: &[u8]) -> Said {
    let mut said = Said::default();
    let (mut place, mut start, mut come, mut turn) = (Place::Head(0), 0, 0, 0);
    loop {
        let step = match cuts {
            [] => bytes.len(),
            cuts => usize::from(cuts[turn % cuts.len()]).max(1),
        };
        turn += 1;
        come = bytes.len().min(come + step);
        if let Err(refusal) = take(&bytes[..come], &mut start, &mut place, &mut said) {
            said.refusal = Some(refusal);
            return said;
        }
        if come == bytes.len() {
            return said;
        }
    }
}

/// Takes all that is there.
fn take(bytes: &[u8], start: &mut usize, place: &mut Place, said: &mut Said) -> Result<(), Refusal> {
    loop {
        let came = &bytes[*start..];
        match place {
            Place::Head(seen) => {
                let Some(len) = find_end(came, seen, HEAD_MAX)? else {
                    return Ok(());
                };
                *place = head(&came[..len], said)?;
                *start += len;
            }
            Place::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(came.len());
                body(said).extend_from_slice(&came[..count]);
                *start += count;
                *left -= count as u64;
                if *left > 0 {
                    return Ok(());
                }
                *place = Place::Head(0);
                said.end = *start;
            }
            Place::Chunks(chunks) => match chunks.next(came)? {
                Found::Data(range) => {
                    assert!(!range.is_empty());
                    body(said).extend_from_slice(&came[range.clone()]);
                    assert!(body(said).len() as u64 <= BODY_MAX);
                    *start += range.end;
                }
                Found::End(count) => {
                    *start += count;
                    *place = Place::Head(0);
                    said.end = *start;
                }
                Found::More => {
                    *start = bytes.len();
                    return Ok(());
                }
            },
        }
    }
}

fn body(said: &mut Said) -> &mut Vec<u8> {
    &mut said.requests.last_mut().expect("a head came before").1
}

fn head(bytes: &[u8], said: &mut Said) -> Result<Place, Refusal> {
    let head = parse(bytes)?;
    assert!(bytes.len() <= HEAD_MAX && bytes.ends_with(b"\r\n\r\n"));
    assert!(head.target.bytes().all(|byte| byte.is_ascii_graphic()) && head.minor <= 1);
    let lower = bytes.to_ascii_lowercase();
    let has = |name: &[u8]| lower.windows(name.len()).any(|window| window == name);
    // Whatever else it says, it does not say where it ends in two ways.
    assert!(!(has(b"\r\ncontent-length:") && has(b"\r\ntransfer-encoding:")));
    assert!(!has(b"\n ") && !has(b"\n\t") && !bytes.contains(&0));
    if let Some(path) = path(head.target) {
        assert!(!path.starts_with('/') && path.split('/').all(|name| name != ".."));
    }
    for len in [0, 1, 10, u64::MAX] {
        match head.range.map(|range| part(range, len)) {
            Some(Part::Bytes(bytes)) => assert!(bytes.start < bytes.end && bytes.end <= len),
            Some(Part::Whole | Part::None) | None => {}
        }
    }
    let place = match head.body {
        Body::Length(len) => Place::Length(len),
        Body::Chunked => Place::Chunks(Chunks::new(BODY_MAX)),
    };
    said.requests.push((format!("{head:?}"), Vec::new()));
    Ok(place)
}
