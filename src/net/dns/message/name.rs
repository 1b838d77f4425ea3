//! `Name`: a domain name as it stands in a message, each label with its length before it.
//!
//! *Model.* The bytes are kept as they are sent: `\x03www\x07example\x03com\x00`, uncompressed. So a name
//! costs one allocation, and comparing two is comparing bytes, without regard to the case of letters.
//!
//! *Compression.* A name in a message may end in a pointer to an earlier place. A message from a stranger
//! may point anywhere, so: each jump leads before the place where the run of labels it ends began, there
//! are at most [`JUMPS_MAX`] of them, and the name is no longer than [`NAME_MAX`] when it is put together.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::str::FromStr;

use super::Malformed;

/// The most bytes of a name, its lengths and the empty label at its end among them (RFC 1035, 2.3.4).
pub(super) const NAME_MAX: usize = 255;

/// The most bytes of a label.
const LABEL_MAX: usize = 63;

/// A name of 255 bytes has at most 127 labels; who needs more jumps points at pointers.
const JUMPS_MAX: usize = 127;

/// A domain name, from the name itself to the root. Two are equal if they differ in the case of letters
/// only.
///
/// ```
/// use mainspring::net::dns::Name;
/// let name: Name = "www.Example.com".parse().unwrap();
/// assert_eq!(name, "www.example.com.".parse().unwrap());
/// assert_eq!(name.to_string(), "www.Example.com");
/// assert!("a..b".parse::<Name>().is_err());
/// ```
#[derive(Clone)]
pub struct Name {
    wire: Box<[u8]>,
}

impl Name {
    /// The root, which has no label.
    #[must_use]
    pub fn root() -> Name {
        Name { wire: [0].into() }
    }

    /// The name under which the name of an address is looked up: `1.0.0.127.in-addr.arpa`, and by
    /// nibbles below `ip6.arpa`. An IPv4 address in the clothes of IPv6 is asked for as what it is.
    #[must_use]
    pub fn reverse(addr: IpAddr) -> Name {
        let mut text = String::with_capacity(72);
        match addr.to_canonical() {
            IpAddr::V4(addr) => {
                for octet in addr.octets().iter().rev() {
                    let _ = write!(text, "{octet}.");
                }
                text.push_str("in-addr.arpa");
            }
            IpAddr::V6(addr) => {
                for octet in addr.octets().iter().rev() {
                    let _ = write!(text, "{:x}.{:x}.", octet & 15, octet >> 4);
                }
                text.push_str("ip6.arpa");
            }
        }
        let labels = text.split('.').map(str::as_bytes);
        match Name::from_labels(labels) {
            Ok(name) => name,
            Err(_) => unreachable!("the longest has 74 bytes"),
        }
    }

    /// The labels, the first one first.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.wire[..];
        std::iter::from_fn(move || {
            let (len, after) = rest.split_first()?;
            let (label, after) = after.split_at_checked(usize::from(*len))?;
            rest = after;
            (!label.is_empty()).then_some(label)
        })
    }

    /// Whether it consists of letters, digits, hyphens and underscores, as names of hosts do. What a stranger
    /// calls his address may be anything else: line breaks, markup, a path.
    #[must_use]
    pub fn is_host_name(&self) -> bool {
        let is_fit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        self.wire.len() > 1 && self.labels().all(|label| label.iter().all(is_fit))
    }

    /// Whether it is `parent`, or lies below it.
    #[must_use]
    pub fn is_within(&self, parent: &Name) -> bool {
        let mut rest = &self.wire[..];
        while rest.len() > parent.wire.len() {
            rest = &rest[usize::from(rest[0]) + 1..];
        }
        rest.eq_ignore_ascii_case(&parent.wire)
    }

    /// This name below `parent`; `None` if that is too long.
    #[must_use]
    pub fn below(&self, parent: &Name) -> Option<Name> {
        let own = &self.wire[..self.wire.len() - 1];
        let wire = [own, &parent.wire].concat();
        (wire.len() <= NAME_MAX).then(|| Name { wire: wire.into() })
    }

    /// The bytes as they are sent.
    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    fn from_labels<'a>(labels: impl Iterator<Item = &'a [u8]>) -> Result<Name, InvalidName> {
        let mut wire = Vec::with_capacity(64);
        for label in labels {
            if label.is_empty() {
                return Err(InvalidName::EmptyLabel);
            }
            if label.len() > LABEL_MAX {
                return Err(InvalidName::LabelTooLong);
            }
            wire.push(label.len() as u8);
            wire.extend_from_slice(label);
        }
        wire.push(0);
        if wire.len() > NAME_MAX {
            return Err(InvalidName::TooLong);
        }
        Ok(Name { wire: wire.into() })
    }

    /// Takes the name at `at` out of a message, and moves `at` behind it.
    pub(super) fn read(message: &[u8], at: &mut usize) -> Result<Name, Malformed> {
        let mut wire = [0; NAME_MAX];
        let (mut used, mut jumps) = (0, 0);
        let (mut here, mut run) = (*at, *at);
        let mut after = None;
        loop {
            let first = *message.get(here).ok_or(Malformed::Cut)?;
            match first >> 6 {
                0 => {
                    let end = here + 1 + usize::from(first);
                    let label = message.get(here..end).ok_or(Malformed::Cut)?;
                    let room = wire.get_mut(used..used + label.len());
                    room.ok_or(Malformed::NameTooLong)?.copy_from_slice(label);
                    used += label.len();
                    here = end;
                    if first == 0 {
                        break;
                    }
                }
                3 => {
                    let low = *message.get(here + 1).ok_or(Malformed::Cut)?;
                    let target = usize::from(first & 0x3f) << 8 | usize::from(low);
                    jumps += 1;
                    if target >= run || jumps > JUMPS_MAX {
                        return Err(Malformed::Pointer);
                    }
                    after = after.or(Some(here + 2));
                    (here, run) = (target, target);
                }
                _ => return Err(Malformed::Label),
            }
        }
        *at = after.unwrap_or(here);
        Ok(Name {
            wire: wire[..used].into(),
        })
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        // A length is below 64 and so no letter.
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

/// With a dot between labels, and none at the end. What is not plain text is written as `\DDD`.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wire.len() == 1 {
            return f.write_char('.');
        }
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                f.write_char('.')?;
            }
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    b'!'..=b'~' => f.write_char(char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing, or nothing between two dots.
    EmptyLabel,
    /// More than 63 bytes between two dots.
    LabelTooLong,
    /// More than 253 bytes in all.
    TooLong,
    /// A space, a backslash, or what is not ASCII. A name in another script is written in its `xn--` form.
    Character,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidName::EmptyLabel => "a name has no empty part: look for a dot too many",
            InvalidName::LabelTooLong => "a part of a name has 63 bytes at most",
            InvalidName::TooLong => "a name has 253 bytes at most",
            InvalidName::Character => {
                "a name is of printable ASCII: write other scripts in their xn-- form"
            }
        })
    }
}

impl std::error::Error for InvalidName {}

/// Of a text with dots, one at its end or not. A single dot is the root.
impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Name, InvalidName> {
        if text == "." {
            return Ok(Name::root());
        }
        let is_fit = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
        if !text.bytes().all(is_fit) {
            return Err(InvalidName::Character);
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        Name::from_labels(text.split('.').map(str::as_bytes))
    }
}
