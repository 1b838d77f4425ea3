//! `DnsError`: why a look-up gave nothing, with everybody who was asked and what each said.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::message::{Code, InvalidName, Kind, Malformed, Name};

/// Why a look-up gave nothing. It stands inside an [`io::Error`]:
///
/// ```
/// use mainspring::net::dns::{DnsConfig, DnsError, DnsResolver, Hosts};
/// let resolver = DnsResolver::new(DnsConfig::default(), Hosts::default());
/// let error = mainspring::run(async move { resolver.lookup("two..dots").await }).unwrap().unwrap_err();
/// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
/// let inner = error.get_ref().unwrap().downcast_ref::<DnsError>().unwrap();
/// assert_eq!(inner.host(), "two..dots");
/// ```
#[derive(Debug)]
pub struct DnsError {
    host: String,
    reason: Reason,
    asked: Vec<Asked>,
}

/// The reason in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such name.
    NoName,
    /// There is such a name, without what was looked for.
    NoRecord,
    /// No server gave an answer. It may go better later.
    NoAnswer,
    /// The name stands for another, and so on, more often than anybody should follow.
    Circle,
    /// The answer is the name of no host, whatever else it may be: nobody should print it or look it up.
    NotHost,
    /// It cannot be a name.
    Invalid(InvalidName),
}

/// One question to one server, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Asked {
    /// The name that was asked for: with the search list, or at the end of a chain, not the host's own.
    pub name: Name,
    /// What was asked of it.
    pub kind: Kind,
    /// Who was asked.
    pub server: SocketAddr,
    /// Whether over TCP.
    pub over_tcp: bool,
    /// The answer.
    pub said: Said,
}

/// What a server said.
#[derive(Debug)]
#[non_exhaustive]
pub enum Said {
    /// An answer that counts: that there is no such name or record, if the look-up failed.
    Code(Code),
    /// Nothing, for so long.
    Nothing(Duration),
    /// It does not know, and asks nobody.
    Referral,
    /// What is no message.
    Garbage(Malformed),
    /// Over TCP, the answer to another question.
    Other,
    /// The kernel says that it cannot be reached, or that it hung up.
    Failed(io::Error),
}

impl DnsError {
    pub(super) fn new(host: &str, reason: Reason, asked: Vec<Asked>) -> DnsError {
        DnsError {
            host: host.to_string(),
            reason,
            asked,
        }
    }

    /// What was looked up, as it was given.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Why there is no answer.
    #[must_use]
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Who was asked, in this order, and what each said.
    #[must_use]
    pub fn asked(&self) -> &[Asked] {
        &self.asked
    }

    /// Whether the same look-up may succeed later: no server gave an answer.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.reason == Reason::NoAnswer
    }

    fn kind(&self) -> io::ErrorKind {
        let is_silent = |asked: &Asked| matches!(asked.said, Said::Nothing(_));
        match self.reason {
            Reason::NoName | Reason::NoRecord => io::ErrorKind::NotFound,
            Reason::Invalid(_) => io::ErrorKind::InvalidInput,
            Reason::Circle | Reason::NotHost => io::ErrorKind::InvalidData,
            Reason::NoAnswer if self.asked.iter().any(is_silent) => io::ErrorKind::TimedOut,
            Reason::NoAnswer => match self.asked.last().map(|asked| &asked.said) {
                Some(Said::Failed(error)) => error.kind(),
                _ => io::ErrorKind::Other,
            },
        }
    }
}

impl From<DnsError> for io::Error {
    /// `NotFound` for a name that does not exist or has no address; `TimedOut` if a server was silent and
    /// no other knew; what the kernel says if none could be reached; `InvalidInput`, `InvalidData`.
    fn from(error: DnsError) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "look-up of `{}`: ", self.host.escape_debug())?;
        match self.reason {
            Reason::NoName => f.write_str("no such name")?,
            Reason::NoRecord => f.write_str("the name has no such record")?,
            Reason::NoAnswer if self.asked.is_empty() => f.write_str("no server to ask")?,
            Reason::NoAnswer => f.write_str("no answer")?,
            Reason::Circle => {
                f.write_str("the name stands for others, in a circle or too often")?
            }
            Reason::NotHost => f.write_str("the answer is the name of no host")?,
            Reason::Invalid(invalid) => write!(f, "{invalid}")?,
        }
        for (index, asked) in self.asked.iter().enumerate() {
            write!(f, "{} {asked}", if index == 0 { ":" } else { ";" })?;
        }
        Ok(())
    }
}

impl Error for DnsError {}

/// `192.0.2.53:53 over TCP, asked for www.example.com A, said SERVFAIL`
impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let over = if self.over_tcp { " over TCP" } else { "" };
        let Asked {
            name, kind, server, ..
        } = self;
        write!(f, "{server}{over}, asked for {name} {kind}, ")?;
        match &self.said {
            Said::Code(code) => write!(f, "said {code}"),
            Said::Nothing(time) => write!(f, "said nothing for {time:?}"),
            Said::Referral => f.write_str("does not know, and asks nobody"),
            Said::Garbage(malformed) => write!(f, "sent no message: {malformed}"),
            Said::Other => f.write_str("answered another question"),
            Said::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}
