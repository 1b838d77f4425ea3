//! Tests of messages: bytes written by hand, what strangers send, and any bytes at all.

use std::net::IpAddr;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A header with these counts, and what comes behind it.
fn message(counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 0x81, 0x80];
    for count in counts {
        bytes.extend_from_slice(&[0, count]);
    }
    bytes.extend_from_slice(rest);
    bytes
}

/// A record of `a.` with these bytes.
fn record(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x01a\x00\x00".to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(&[0, 1, 0, 0, 0, 60, 0, data.len() as u8]);
    bytes.extend_from_slice(data);
    bytes
}

#[test]
fn a_query_is_these_bytes() {
    let mut query = Message::query(0xbeef, Question::new(name("ab.c"), Kind::AAAA));
    query.udp_payload = Some(1232);
    let expected =
        b"\xbe\xef\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x02ab\x01c\x00\x00\x1c\x00\x01\
        \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
    assert_eq!(query.encode(512), expected);
    assert_eq!(Message::parse(expected).unwrap(), query);
}

#[test]
fn a_reply_with_pointers_is_read() {
    let mut rest = b"\x03www\x07example\x03com\x00\x00\x01\x00\x01".to_vec();
    // www is another name of w.example.com, whose address follows; `example.com` stands at 16.
    rest.extend_from_slice(b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x04\x01w\xc0\x10");
    rest.extend_from_slice(b"\xc0\x2d\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01");
    let reply = Message::parse(&message([1, 2, 0, 0], &rest)).unwrap();
    assert!(reply.is_reply && reply.wants_recursion && reply.offers_recursion);
    assert_eq!((reply.id, reply.code), (0x1234, Code::NO_ERROR));
    assert_eq!(
        reply.questions,
        [Question::new(name("WWW.example.com"), Kind::A)]
    );
    let target = name("w.example.com");
    let cname = Record::new(
        name("www.example.com"),
        60,
        Data::Cname(name("w.example.com")),
    );
    let address = Record::new(target, 60, Data::A([192, 0, 2, 1].into()));
    assert_eq!(reply.answers, [cname, address]);
}

/// Bytes as the question, of which there should be one.
fn question(bytes: &[u8]) -> Vec<u8> {
    message([1, 0, 0, 0], bytes)
}

/// One answer.
fn answer(kind: u8, data: &[u8]) -> Vec<u8> {
    message([0, 1, 0, 0], &record(kind, data))
}

#[track_caller]
fn assert_wrong(rows: &[(&str, Vec<u8>, Malformed)]) {
    for (what, bytes, expected) in rows {
        assert_eq!(Message::parse(bytes), Err(*expected), "{what}");
    }
}

#[test]
fn what_is_wrong_with_a_name_is_said() {
    use Malformed::{Cut, Label, NameTooLong, Pointer};
    let long_label = [&b"\x40"[..], &[b'a'; 64], b"\x00\x00\x01\x00\x01"].concat();
    let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(4);
    let too_long = [&long[..], b"\0\0\x01\0\x01"].concat();
    let before = b"\x01a\xc0\x0c\0\x01\0\x01";
    assert_wrong(&[
        ("no question", question(b""), Cut),
        ("no end of the name", question(b"\x01a"), Cut),
        ("half a pointer", question(b"\xc0"), Cut),
        (
            "a pointer to itself",
            question(b"\xc0\x0c\0\x01\0\x01"),
            Pointer,
        ),
        (
            "a pointer forwards",
            question(b"\xc0\x10\0\x01\0\x01"),
            Pointer,
        ),
        (
            "a label before the pointer to it",
            question(before),
            Pointer,
        ),
        ("a label of 64", question(&long_label), Label),
        ("a name of 257", question(&too_long), NameTooLong),
    ]);
}

#[test]
fn what_is_wrong_with_a_record_is_said() {
    use Malformed::{Cut, Data, Opt};
    let opt = b"\0\0\x29\x04\xd0\0\0\0\0\0\0";
    let named = [b"\x01a", &opt[..]].concat();
    assert_wrong(&[
        ("nothing", Vec::new(), Cut),
        ("half a header", vec![0; 11], Cut),
        ("an A of three bytes", answer(1, b"abc"), Data),
        ("an AAAA of four", answer(28, b"abcd"), Data),
        ("a CNAME and one byte more", answer(5, b"\x01b\0x"), Data),
        ("a CNAME that ends later", answer(5, b"\x01"), Cut),
        ("a string that goes on", answer(16, b"\x05abc"), Data),
        ("two OPT", message([0, 0, 0, 2], &opt.repeat(2)), Opt),
        ("an OPT as answer", message([0, 1, 0, 0], opt), Opt),
        ("an OPT with a name", message([0, 0, 0, 1], &named), Opt),
    ]);
}

#[test]
fn a_circle_of_pointers_ends() {
    // Two names that point at each other: the second jump would lead forwards again.
    let rest = b"\x01a\xc0\x12\0\x01\0\x01\x01b\xc0\x0c\0\x01\0\x01";
    assert_eq!(
        Message::parse(&message([2, 0, 0, 0], rest)),
        Err(Malformed::Pointer)
    );
    // Pointers at pointers, each one step back: more of them than a name has labels. They stand in
    // a record's data, where nobody reads them as names.
    let mut chain = b"\x00".to_vec();
    let base = 12 + 13;
    for link in 0..200_u16 {
        let target = if link == 0 {
            base
        } else {
            base + 1 + 2 * (link - 1)
        };
        chain.extend_from_slice(&(0xc000 | target).to_be_bytes());
    }
    let mut rest = b"\x01a\x00\x00\x63\x00\x01\x00\x00\x00\x00".to_vec();
    rest.extend_from_slice(&(chain.len() as u16).to_be_bytes());
    rest.extend_from_slice(&chain);
    let end = |link: u16| (0xc000 | (base + 1 + 2 * link)).to_be_bytes();
    let with_name = |link: u16| {
        let tail = [
            &end(link)[..],
            b"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04abcd",
        ]
        .concat();
        message([0, 2, 0, 0], &[&rest[..], &tail].concat())
    };
    assert!(Message::parse(&with_name(125)).is_ok());
    assert_eq!(Message::parse(&with_name(127)), Err(Malformed::Pointer));
}

#[test]
fn bytes_behind_the_last_record_are_ignored_and_counts_that_lie_are_not_believed() {
    let mut bytes = message([0, 1, 0, 0], &record(1, b"abcd"));
    bytes.extend_from_slice(b"and more");
    assert_eq!(Message::parse(&bytes).unwrap().answers.len(), 1);
    let mut bytes = message([0, 0, 0, 0], &record(1, b"abcd"));
    bytes[6..8].copy_from_slice(&[0xff, 0xff]);
    assert_eq!(Message::parse(&bytes), Err(Malformed::Cut));
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    let question = Question::new(name("big.example"), Kind::A);
    let mut reply = Message::reply_to(&Message::query(1, question.clone()));
    reply.udp_payload = Some(1232);
    for octet in 0..200 {
        let data = Data::A([192, 0, 2, octet].into());
        reply
            .answers
            .push(Record::new(question.name.clone(), 60, data));
    }
    let whole = reply.encode(MESSAGE_MAX);
    // A header, the question, 16 bytes per address (its name a pointer), and the OPT record.
    assert_eq!(whole.len(), 12 + 17 + 200 * 16 + 11);
    assert_eq!(Message::parse(&whole).unwrap(), reply);
    let cut = reply.encode(512);
    assert!(cut.len() <= 512 && cut.len() > 512 - 16);
    let cut = Message::parse(&cut).unwrap();
    assert!(cut.is_truncated && cut.udp_payload == Some(1232));
    assert_eq!(cut.answers, reply.answers[..cut.answers.len()]);
    assert_eq!(
        Message::parse_head(&whole[..40]).unwrap().questions,
        [question]
    );
}

#[test]
fn a_code_has_its_high_bits_in_the_opt_record() {
    let mut reply = Message::reply_to(&Message::query(1, Question::new(name("a"), Kind::A)));
    reply.udp_payload = Some(512);
    reply.code = Code(16);
    let parsed = Message::parse(&reply.encode(512)).unwrap();
    assert_eq!(parsed.code, Code(16));
    assert_eq!(parsed.code.to_string(), "Code16");
    assert_eq!(Code::NAME_ERROR.to_string(), "NXDOMAIN");
}

#[test]
fn texts_that_are_names_and_texts_that_are_none() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
    for text in ["a", "a.b.", "_dns._tcp.example", "1.2.3", &longest] {
        let name = name(text);
        assert_eq!(name.to_string(), text.trim_end_matches('.'));
    }
    assert_eq!(name(".").to_string(), ".");
    let rows = [
        ("", InvalidName::EmptyLabel),
        ("..", InvalidName::EmptyLabel),
        (".a", InvalidName::EmptyLabel),
        ("a..b", InvalidName::EmptyLabel),
        (&"a".repeat(64), InvalidName::LabelTooLong),
        (&format!("{longest}a"), InvalidName::TooLong),
        ("a b", InvalidName::Character),
        ("a\\b", InvalidName::Character),
        ("a\0b", InvalidName::Character),
        ("münchen.example", InvalidName::Character),
    ];
    for (text, expected) in rows {
        assert_eq!(text.parse::<Name>(), Err(expected), "{text:?}");
    }
}

#[test]
fn names_below_and_within() {
    let host = name("www");
    assert_eq!(
        host.below(&name("example.com")),
        Some(name("www.example.com"))
    );
    assert_eq!(host.below(&Name::root()), Some(host.clone()));
    let long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(58));
    assert_eq!(host.below(&name(&long)), None);
    assert!(name("a.LOCALHOST").is_within(&name("localhost")));
    assert!(name("localhost").is_within(&name("localhost")));
    assert!(!name("alocalhost").is_within(&name("localhost")));
    assert!(!name("localhost.a").is_within(&name("localhost")));
    assert!(name("a").is_within(&Name::root()));
}

#[test]
fn the_reverse_of_an_address() {
    let of = |text: &str| Name::reverse(text.parse::<IpAddr>().unwrap()).to_string();
    assert_eq!(of("192.0.2.1"), "1.2.0.192.in-addr.arpa");
    assert_eq!(of("::ffff:192.0.2.1"), "1.2.0.192.in-addr.arpa");
    let zeros = "0.".repeat(23);
    assert_eq!(
        of("2001:db8::f"),
        format!("f.{zeros}8.b.d.0.1.0.0.2.ip6.arpa")
    );
}

#[test]
fn a_name_that_could_do_harm_where_it_is_printed_is_no_host_name_and_is_shown_escaped() {
    let mut at = 0;
    let evil = Name::read(b"\x05a\n.\\b\x00", &mut at).unwrap();
    assert_eq!(at, 7);
    assert!(!evil.is_host_name());
    assert_eq!(evil.to_string(), "a\\010\\.\\\\b");
    assert!(name("a-b_c.9").is_host_name());
    assert!(!Name::root().is_host_name());
}

fn any_name() -> impl Strategy<Value = Name> {
    vec("[a-zA-Z0-9_-]{1,20}", 0..6).prop_map(|labels| {
        let text = labels.join(".");
        if text.is_empty() {
            Name::root()
        } else {
            name(&text)
        }
    })
}

fn any_data() -> impl Strategy<Value = Data> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(|octets| Data::A(octets.into())),
        any::<[u8; 16]>().prop_map(|octets| Data::Aaaa(octets.into())),
        any_name().prop_map(Data::Cname),
        any_name().prop_map(Data::Ptr),
        vec(vec(any::<u8>(), 0..=255), 0..4).prop_map(|strings| {
            Data::Txt(strings.into_iter().map(Vec::into_boxed_slice).collect())
        }),
        vec(any::<u8>(), 0..40).prop_map(|data| Data::Other(Kind::MX, data.into())),
    ]
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let record = (any_name(), any_data(), any::<u32>());
    vec(
        record.prop_map(|(name, data, ttl)| Record::new(name, ttl, data)),
        0..5,
    )
}

proptest! {
    #[test]
    fn what_was_written_is_read_again(
        id: u16,
        flags: [bool; 5],
        code in 0..4096_u16,
        owner in any_name(),
        sections in [any_records(), any_records(), any_records()],
    ) {
        let [answers, authority, additional] = sections;
        let message = Message {
            id,
            is_reply: flags[0],
            opcode: 2,
            is_authoritative: flags[1],
            is_truncated: flags[2],
            wants_recursion: flags[3],
            offers_recursion: flags[4],
            code: Code(code),
            questions: vec![Question::new(owner, Kind::ANY)],
            answers,
            authority,
            additional,
            udp_payload: Some(4096),
        };
        prop_assert_eq!(Message::parse(&message.encode(MESSAGE_MAX)), Ok(message));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..600)) {
        let _ = Message::parse(&bytes);
    }

    // Bytes that are mostly right, and so get further.
    #[test]
    fn a_message_with_a_wrong_byte_or_a_wrong_end_is_a_message_or_an_error(
        records in any_records(),
        at: prop::sample::Index,
        byte: u8,
        cut: prop::sample::Index,
    ) {
        let mut reply = Message::reply_to(&Message::query(1, Question::new(name("a.b"), Kind::A)));
        reply.answers = records;
        let mut bytes = reply.encode(MESSAGE_MAX);
        let place = at.index(bytes.len());
        bytes[place] = byte;
        let _ = Message::parse(&bytes);
        bytes.truncate(cut.index(bytes.len() + 1));
        let _ = Message::parse(&bytes);
    }

    #[test]
    fn a_name_is_what_it_is_shown_as(name in any_name()) {
        prop_assert_eq!(name.to_string().parse::<Name>(), Ok(name));
    }
}
