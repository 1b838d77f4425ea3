//! `Message`: a DNS query or reply, written and read (RFC 1035, with the OPT record of RFC 6891).
//!
//! *Role.* The resolver writes queries and reads replies; a server does it the other way round. Everything
//! here is a pure function on bytes.
//!
//! *Model.*
//!
//! ```text
//!   header   12 bytes: id, flags, four counts
//!   question name, kind, class                      of a reply: the one that was asked
//!   answer   name, kind, class, ttl, data           zero or more, as authority and additional
//! ```
//!
//! *Strict.* The bytes come from a stranger. Nothing is read beyond the message or beyond a record's data; a
//! record's data must be as long as its kind says; names are bounded (see `message/name.rs`). What does not
//! hold is a [`Malformed`] and never a panic. Counts that lie cost nothing: a record takes 11 bytes at least,
//! so a message has fewer than 6000. Bytes after the last record are ignored.
//!
//! *Cost.* One allocation per section and per name; reading is linear in the message, up to 127 jumps
//! per name.

mod name;
#[cfg(all(test, not(mainspring_loom)))]
mod tests;

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

pub use name::{InvalidName, Name};

const HEADER_LEN: usize = 12;
/// The class of everything on the Internet.
const CLASS_IN: u16 = 1;

/// The longest message there is: over TCP its length is told in 16 bits.
pub const MESSAGE_MAX: usize = 65_535;

/// A pointer to the first question's name, which stands right behind the header.
const POINTER_TO_QUESTION: [u8; 2] = [0xc0, HEADER_LEN as u8];

/// The flags of the header.
mod flag {
    pub(super) const REPLY: u16 = 0x8000;
    pub(super) const AUTHORITATIVE: u16 = 0x0400;
    pub(super) const TRUNCATED: u16 = 0x0200;
    pub(super) const RECURSION_DESIRED: u16 = 0x0100;
    pub(super) const RECURSION_AVAILABLE: u16 = 0x0080;
}

/// Numbers with names, which are shown where there is one.
macro_rules! numbers {
    ($(#[$doc:meta])* $type:ident { $($(#[$item:meta])* $name:ident = $value:literal $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub u16);

        impl $type {
            $($(#[$item])* pub const $name: $type = $type($value);)*
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match *self {
                    $($type::$name => f.pad($text),)*
                    $type(number) => write!(f, "{}{number}", stringify!($type)),
                }
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

numbers! {
    /// What a question asks for, and a record holds.
    Kind {
        /// An IPv4 address.
        A = 1 "A",
        /// The server that is responsible for a zone.
        NS = 2 "NS",
        /// Another name for the same.
        CNAME = 5 "CNAME",
        /// Where a zone starts; with an empty answer: that there is no such record.
        SOA = 6 "SOA",
        /// The name of an address.
        PTR = 12 "PTR",
        /// Who takes mail.
        MX = 15 "MX",
        /// Any text.
        TXT = 16 "TXT",
        /// An IPv6 address.
        AAAA = 28 "AAAA",
        /// Where a service is.
        SRV = 33 "SRV",
        /// What the two ends can do beyond RFC 1035; no record.
        OPT = 41 "OPT",
        /// Every kind.
        ANY = 255 "ANY",
    }
}

numbers! {
    /// What a server says of a query.
    Code {
        /// It was answered, perhaps by nothing.
        NO_ERROR = 0 "NOERROR",
        /// It could not be read.
        FORMAT_ERROR = 1 "FORMERR",
        /// The server could not find out.
        SERVER_FAILURE = 2 "SERVFAIL",
        /// There is no such name.
        NAME_ERROR = 3 "NXDOMAIN",
        /// The server cannot do that.
        NOT_IMPLEMENTED = 4 "NOTIMP",
        /// The server does not want to.
        REFUSED = 5 "REFUSED",
    }
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of which name.
    pub name: Name,
    /// For which kind of record.
    pub kind: Kind,
    /// 1, the Internet.
    pub class: u16,
}

impl Question {
    /// A question about a name of the Internet.
    #[must_use]
    pub fn new(name: Name, kind: Kind) -> Question {
        Question {
            name,
            kind,
            class: CLASS_IN,
        }
    }
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Data {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// The name that this one stands for.
    Cname(Name),
    /// The name of an address.
    Ptr(Name),
    /// Strings of 255 bytes at most each.
    Txt(Vec<Box<[u8]>>),
    /// Anything else, as it was sent. Names within may point into the message that it came from.
    Other(Kind, Box<[u8]>),
}

impl Data {
    /// The kind of record that holds it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Data::A(_) => Kind::A,
            Data::Aaaa(_) => Kind::AAAA,
            Data::Cname(_) => Kind::CNAME,
            Data::Ptr(_) => Kind::PTR,
            Data::Txt(_) => Kind::TXT,
            Data::Other(kind, _) => *kind,
        }
    }
}

/// An answer, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Whose it is.
    pub name: Name,
    /// 1, the Internet.
    pub class: u16,
    /// For how many seconds it may be kept.
    pub ttl: u32,
    /// What it holds.
    pub data: Data,
}

impl Record {
    /// A record of the Internet.
    #[must_use]
    pub fn new(name: Name, ttl: u32, data: Data) -> Record {
        Record {
            name,
            class: CLASS_IN,
            ttl,
            data,
        }
    }

    /// Whether it holds what `kind` asks of `name` on the Internet.
    pub(crate) fn answers(&self, name: &Name, kind: Kind) -> bool {
        self.data.kind() == kind && self.class == CLASS_IN && self.name == *name
    }
}

/// A query or a reply.
///
/// ```
/// use mainspring::net::dns::{Data, Kind, Message, Question, Record};
/// let query = Message::query(7, Question::new("example.com".parse().unwrap(), Kind::A));
/// let bytes = query.encode(512);
/// assert_eq!(Message::parse(&bytes).unwrap(), query);
///
/// let mut reply = Message::reply_to(&query);
/// let address = Data::A([192, 0, 2, 1].into());
/// reply.answers.push(Record::new(query.questions[0].name.clone(), 60, address));
/// let reply = Message::parse(&reply.encode(512)).unwrap();
/// assert!(reply.is_reply && reply.id == 7 && reply.answers.len() == 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Which reply belongs to which query.
    pub id: u16,
    /// Whether it is a reply.
    pub is_reply: bool,
    /// 0, a query; at most 15.
    pub opcode: u8,
    /// Whether the server is responsible for the name.
    pub is_authoritative: bool,
    /// Whether something did not fit; ask again over TCP.
    pub is_truncated: bool,
    /// Whether the server shall ask others.
    pub wants_recursion: bool,
    /// Whether the server asks others.
    pub offers_recursion: bool,
    /// What the server says of the query.
    pub code: Code,
    /// What is asked: one question.
    pub questions: Vec<Question>,
    /// The answers.
    pub answers: Vec<Record>,
    /// Who is responsible.
    pub authority: Vec<Record>,
    /// What is of use beside the answers, without the OPT record.
    pub additional: Vec<Record>,
    /// How many bytes the sender takes over UDP, if it says so (in an OPT record).
    pub udp_payload: Option<u16>,
}

/// What is wrong with bytes that are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Malformed {
    /// They end too early.
    Cut,
    /// A part of a name is neither text nor a pointer.
    Label,
    /// A name points forwards, or in a circle, or too often.
    Pointer,
    /// A name has more than 255 bytes.
    NameTooLong,
    /// A record's data is longer or shorter than its kind says.
    Data,
    /// There is more than one OPT record, or it stands where none may.
    Opt,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Malformed::Cut => "it ends too early",
            Malformed::Label => "a part of a name is neither text nor a pointer",
            Malformed::Pointer => "a name points forwards or in a circle",
            Malformed::NameTooLong => "a name has more than 255 bytes",
            Malformed::Data => "a record is longer or shorter than its kind says",
            Malformed::Opt => "an OPT record stands where none may",
        })
    }
}

impl std::error::Error for Malformed {}

impl Message {
    /// A query that asks a server to ask others.
    #[must_use]
    pub fn query(id: u16, question: Question) -> Message {
        Message {
            id,
            wants_recursion: true,
            questions: vec![question],
            ..Message::default()
        }
    }

    /// The beginning of a reply: the id, the questions, and what the query wanted.
    #[must_use]
    pub fn reply_to(query: &Message) -> Message {
        Message {
            id: query.id,
            is_reply: true,
            opcode: query.opcode,
            wants_recursion: query.wants_recursion,
            questions: query.questions.clone(),
            ..Message::default()
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// What is wrong with it. A reply that was truncated may end anywhere: see [`Message::parse_head`].
    pub fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
        let mut reader = Reader { bytes, at: 0 };
        let (mut message, counts) = reader.head()?;
        let mut opt = None;
        let sections = [
            &mut message.answers,
            &mut message.authority,
            &mut message.additional,
        ];
        for (index, (section, count)) in sections.into_iter().zip(counts).enumerate() {
            for _ in 0..count {
                match reader.record()? {
                    Entry::Record(record) => section.push(record),
                    Entry::Opt(found) if index == 2 && opt.is_none() => opt = Some(found),
                    Entry::Opt(_) => return Err(Malformed::Opt),
                }
            }
        }
        if let Some(opt) = opt {
            message.udp_payload = Some(opt.udp_payload);
            message.code.0 |= opt.code_high << 4;
        }
        Ok(message)
    }

    /// Reads the header and the questions, and leaves out the rest: enough to know whose reply it is and
    /// whether it was truncated. What follows may be cut anywhere then.
    ///
    /// # Errors
    /// What is wrong with these.
    pub fn parse_head(bytes: &[u8]) -> Result<Message, Malformed> {
        let (message, _) = Reader { bytes, at: 0 }.head()?;
        Ok(message)
    }

    /// The bytes to send. If they are more than `max`, records are left out from the first that does not
    /// fit, and the message says that it is truncated. `max` is [`MESSAGE_MAX`] at most, and the questions
    /// are always there.
    #[must_use]
    pub fn encode(&self, max: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(128);
        let max = max.min(MESSAGE_MAX);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.flags().to_be_bytes());
        bytes.extend_from_slice(&[0; HEADER_LEN - 4]);
        for question in &self.questions {
            bytes.extend_from_slice(question.name.wire());
            bytes.extend_from_slice(&question.kind.0.to_be_bytes());
            bytes.extend_from_slice(&question.class.to_be_bytes());
        }
        let mut counts = [self.questions.len(), 0, 0, 0];
        // Room for the OPT record, which is never left out.
        let opt = self.opt();
        let room = max.saturating_sub(opt.len());
        let sections = [&self.answers, &self.authority, &self.additional];
        let mut is_cut = false;
        for (section, count) in sections.into_iter().zip(&mut counts[1..]) {
            for record in section {
                let before = bytes.len();
                if is_cut || !self.push_record(&mut bytes, record) || bytes.len() > room {
                    bytes.truncate(before);
                    is_cut = true;
                    break;
                }
                *count += 1;
            }
        }
        if !opt.is_empty() {
            bytes.extend_from_slice(&opt);
            counts[3] += 1;
        }
        if is_cut {
            bytes[2] |= (flag::TRUNCATED >> 8) as u8;
        }
        for (index, count) in counts.into_iter().enumerate() {
            let at = 4 + 2 * index;
            bytes[at..at + 2].copy_from_slice(&(count as u16).to_be_bytes());
        }
        bytes
    }

    fn flags(&self) -> u16 {
        let bit = |is_set: bool, flag: u16| if is_set { flag } else { 0 };
        bit(self.is_reply, flag::REPLY)
            | u16::from(self.opcode & 15) << 11
            | bit(self.is_authoritative, flag::AUTHORITATIVE)
            | bit(self.is_truncated, flag::TRUNCATED)
            | bit(self.wants_recursion, flag::RECURSION_DESIRED)
            | bit(self.offers_recursion, flag::RECURSION_AVAILABLE)
            | self.code.0 & 15
    }

    /// The OPT record, empty without one. Its fields have other meanings than those of a record.
    fn opt(&self) -> Vec<u8> {
        let Some(payload) = self.udp_payload else {
            return Vec::new();
        };
        let mut opt = vec![0];
        opt.extend_from_slice(&Kind::OPT.0.to_be_bytes());
        opt.extend_from_slice(&payload.to_be_bytes());
        opt.extend_from_slice(&[(self.code.0 >> 4) as u8, 0, 0, 0, 0, 0]);
        opt
    }

    /// Appends a record; says whether its data is short enough to be sent.
    fn push_record(&self, bytes: &mut Vec<u8>, record: &Record) -> bool {
        let is_asked = |question: &Question| question.name.wire() == record.name.wire();
        if self.questions.first().is_some_and(is_asked) {
            bytes.extend_from_slice(&POINTER_TO_QUESTION);
        } else {
            bytes.extend_from_slice(record.name.wire());
        }
        bytes.extend_from_slice(&record.data.kind().0.to_be_bytes());
        bytes.extend_from_slice(&record.class.to_be_bytes());
        bytes.extend_from_slice(&record.ttl.to_be_bytes());
        let start = bytes.len() + 2;
        bytes.extend_from_slice(&[0, 0]);
        match &record.data {
            Data::A(addr) => bytes.extend_from_slice(&addr.octets()),
            Data::Aaaa(addr) => bytes.extend_from_slice(&addr.octets()),
            Data::Cname(name) | Data::Ptr(name) => bytes.extend_from_slice(name.wire()),
            Data::Txt(strings) => {
                for string in strings {
                    let len = string.len().min(usize::from(u8::MAX));
                    bytes.push(len as u8);
                    bytes.extend_from_slice(&string[..len]);
                }
            }
            Data::Other(_, data) => bytes.extend_from_slice(data),
        }
        let Ok(len) = u16::try_from(bytes.len() - start) else {
            return false;
        };
        bytes[start - 2..start].copy_from_slice(&len.to_be_bytes());
        true
    }
}

/// How far a message was read.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// A record, or what looks like one.
enum Entry {
    Record(Record),
    Opt(Opt),
}

/// What an OPT record says.
struct Opt {
    udp_payload: u16,
    code_high: u16,
}

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Result<&[u8], Malformed> {
        let taken = self.bytes.get(self.at..self.at + len);
        self.at += len;
        taken.ok_or(Malformed::Cut)
    }

    fn number(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn name(&mut self) -> Result<Name, Malformed> {
        Name::read(self.bytes, &mut self.at)
    }

    /// The header and the questions, and how many records follow in each section.
    fn head(&mut self) -> Result<(Message, [u16; 3]), Malformed> {
        let (id, flags) = (self.number()?, self.number()?);
        let has = |flag: u16| flags & flag != 0;
        let question_count = self.number()?;
        let counts = [self.number()?, self.number()?, self.number()?];
        let mut message = Message {
            id,
            is_reply: has(flag::REPLY),
            opcode: (flags >> 11 & 15) as u8,
            is_authoritative: has(flag::AUTHORITATIVE),
            is_truncated: has(flag::TRUNCATED),
            wants_recursion: has(flag::RECURSION_DESIRED),
            offers_recursion: has(flag::RECURSION_AVAILABLE),
            code: Code(flags & 15),
            ..Message::default()
        };
        for _ in 0..question_count {
            message.questions.push(Question {
                name: self.name()?,
                kind: Kind(self.number()?),
                class: self.number()?,
            });
        }
        Ok((message, counts))
    }

    fn record(&mut self) -> Result<Entry, Malformed> {
        let name = self.name()?;
        let (kind, class) = (Kind(self.number()?), self.number()?);
        let ttl = u32::from(self.number()?) << 16 | u32::from(self.number()?);
        let len = usize::from(self.number()?);
        let (start, end) = (self.at, self.at + len);
        let data = self.bytes.get(start..end).ok_or(Malformed::Cut)?;
        if kind == Kind::OPT {
            self.at = end;
            let opt = Opt {
                udp_payload: class,
                code_high: (ttl >> 24) as u16,
            };
            return if name == Name::root() {
                Ok(Entry::Opt(opt))
            } else {
                Err(Malformed::Opt)
            };
        }
        let data = match kind {
            Kind::A => Data::A(
                <[u8; 4]>::try_from(data)
                    .map_err(|_| Malformed::Data)?
                    .into(),
            ),
            Kind::AAAA => Data::Aaaa(
                <[u8; 16]>::try_from(data)
                    .map_err(|_| Malformed::Data)?
                    .into(),
            ),
            Kind::CNAME => Data::Cname(self.name()?),
            Kind::PTR => Data::Ptr(self.name()?),
            Kind::TXT => Data::Txt(strings(data)?),
            _ => Data::Other(kind, data.into()),
        };
        if matches!(data, Data::Cname(_) | Data::Ptr(_)) && self.at != end {
            return Err(Malformed::Data);
        }
        self.at = end;
        Ok(Entry::Record(Record {
            name,
            class,
            ttl,
            data,
        }))
    }
}

/// The strings of a TXT record: each has its length before it.
fn strings(mut data: &[u8]) -> Result<Vec<Box<[u8]>>, Malformed> {
    let mut strings = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let (string, rest) = rest
            .split_at_checked(usize::from(len))
            .ok_or(Malformed::Data)?;
        strings.push(string.into());
        data = rest;
    }
    Ok(strings)
}
