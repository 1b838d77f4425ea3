//! `ConnectError`: what became of each address.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// Why none of several addresses could be connected to, or none in time: each address with its error. It stands inside
/// the `io::Error` of a connect that had more than one address, or a time limit:
///
/// ```
/// use mainspring::net::{ConnectError, TcpStream};
/// # mainspring::run(async {
/// # let gone = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
/// # let [one, other] = [gone(), gone()];
/// let error = TcpStream::connect([one, other]).await.unwrap_err();
/// let inside = error.get_ref().and_then(|inner| inner.downcast_ref::<ConnectError>());
/// for (addr, error) in inside.unwrap().failures() {
///     println!("{addr}: {error}");
/// }
/// # assert_eq!(inside.unwrap().failures().len(), 2);
/// # }).unwrap();
/// ```
#[derive(Debug)]
pub struct ConnectError {
    failures: Vec<(SocketAddr, io::Error)>,
    unfinished: Vec<SocketAddr>,
    /// The first words of what is said.
    what: &'static str,
}

impl ConnectError {
    /// The addresses that were tried and failed, in the order in which they failed, each with the kernel's error.
    #[must_use]
    pub fn failures(&self) -> &[(SocketAddr, io::Error)] {
        &self.failures
    }

    /// The addresses of which nothing is known: they had not answered, or were not tried, when the time was up.
    #[must_use]
    pub fn unfinished(&self) -> &[SocketAddr] {
        &self.unfinished
    }

    /// All failed. One error alone stays what it is, errno and all.
    pub(super) fn all(mut failures: Vec<(SocketAddr, io::Error)>) -> io::Error {
        match failures.pop() {
            Some((_, only)) if failures.is_empty() => return only,
            last => failures.extend(last),
        }
        let kind = telling(&failures).map_or(ErrorKind::Other, |(_, error)| error.kind());
        let error = ConnectError {
            failures,
            unfinished: Vec::new(),
            what: "no address could be connected to",
        };
        io::Error::new(kind, error)
    }

    /// The time was up.
    pub(super) fn timeout(
        failures: Vec<(SocketAddr, io::Error)>,
        unfinished: Vec<SocketAddr>,
        is_looking: bool,
    ) -> io::Error {
        let error = ConnectError {
            failures,
            unfinished,
            what: if is_looking {
                "the name was not looked up in time"
            } else {
                "no connection was made in time"
            },
        };
        io::Error::new(ErrorKind::TimedOut, error)
    }
}

/// The failure that says most: of those that say the same, the first.
fn telling(failures: &[(SocketAddr, io::Error)]) -> Option<&(SocketAddr, io::Error)> {
    failures
        .iter()
        .rev()
        .max_by_key(|(_, error)| weight(error.kind()))
}

/// How much an error says about why there is no connection. That a family is not routed is the rule on many
/// machines; that the host itself refused is an answer; what is wrong on this side is wrong with every address.
fn weight(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::AddrNotAvailable | ErrorKind::Unsupported => 0,
        ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => 1,
        ErrorKind::HostUnreachable => 2,
        ErrorKind::TimedOut => 3,
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => 4,
        _ => 5,
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        let mut sign = ": ";
        for (addr, error) in &self.failures {
            write!(f, "{sign}{addr}: {error}")?;
            sign = "; ";
        }
        for addr in &self.unfinished {
            write!(f, "{sign}{addr}: no answer yet")?;
            sign = "; ";
        }
        Ok(())
    }
}

impl Error for ConnectError {
    /// The failure that says most.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        telling(&self.failures).map(|(_, error)| error as &(dyn Error + 'static))
    }
}
