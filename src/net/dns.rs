//! A resolver without a thread: names looked up in the loop, over its own UDP and TCP.
//!
//! *Role.* The system's resolver blocks, so it is asked in the pool, a thread per look-up. A
//! [`DnsResolver`] takes none: it reads the system's own two files, asks the servers named there, and waits as
//! every socket here waits. [`Builder::resolver`](crate::Builder::resolver) makes it the loop's, and then
//! every connect by name goes through it.
//!
//! ```no_run
//! use mainspring::net::TcpStream;
//! use mainspring::net::dns::DnsResolver;
//! # fn main() -> std::io::Result<()> {
//! let resolver = DnsResolver::from_system()?;
//! let runtime = mainspring::Builder::new().resolver(resolver).build()?;
//! runtime.block_on(async {
//!     let stream = TcpStream::connect("www.example.com:80").await?;
//!     stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await
//! })??;
//! # Ok(())
//! # }
//! ```
//!
//! *Model.* A look-up goes down this list until something answers:
//!
//! | | what | answered by |
//! |---|---|---|
//! | 1 | a number | itself |
//! | 2 | `localhost` and what ends in `.localhost` (RFC 6761) | this machine's addresses, never a server |
//! | 3 | a name in the hosts file | the file |
//! | 4 | any other, as it stands or below the search list | a server, for A and AAAA at the same time |
//!
//! A name with at least `ndots` dots is asked for as it stands first, others below each name of the search
//! list first; a dot at the end says that the name is whole. A name that does not exist, or has no address,
//! passes the question on to the next candidate. A failure does not: it says nothing of the name, and the
//! next candidate may be another host.
//!
//! Addresses of one family are enough for an answer, also if the question for the other one failed.
//!
//! *Cost.* Per question one socket, one datagram there and one back; per look-up two questions. Nothing is
//! kept between look-ups: who looks up the same name often runs a cache on this machine (dnsmasq, unbound,
//! systemd-resolved), which all programs share. Look-ups of one name at the same time are each a look-up.
//!
//! *Not here.* The name service switch and what else it asks (mDNS, NIS, LDAP); DNSSEC, which a stub leaves to its
//! server; DNS over TLS or HTTPS; a file of services. Numbers are written in full: `127.1` is a name.

mod client;
mod config;
mod datagram;
mod error;
mod exchange;
mod files;
mod hosts;
mod message;
mod order;
mod resolver;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::panic::Location;
use std::path::Path;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

pub use config::DnsConfig;
pub use error::{Asked, DnsError, Reason, Said};
pub use hosts::Hosts;
pub use message::{
    Code, Data, InvalidName, Kind, MESSAGE_MAX, Malformed, Message, Name, Question, Record,
};

use client::Client;
use exchange::Ids;
use files::Files;

/// The line of whoever looks up, for the records of the waits.
type Here = &'static Location<'static>;

/// Where the system says which servers there are.
const CONFIG_PATH: &str = "/etc/resolv.conf";
/// Where the system lists hosts.
const HOSTS_PATH: &str = "/etc/hosts";

/// Looks up names without a thread. Clones share everything.
///
/// ```
/// use mainspring::net::dns::{DnsConfig, DnsResolver, Hosts};
/// let hosts = Hosts::parse(b"192.0.2.7 printer\n");
/// let resolver = DnsResolver::new(DnsConfig::default(), hosts);
/// let addresses = mainspring::run(async move { resolver.lookup("printer").await }).unwrap().unwrap();
/// assert_eq!(addresses, ["192.0.2.7".parse::<std::net::IpAddr>().unwrap()]);
/// ```
#[derive(Clone)]
pub struct DnsResolver {
    shared: Rc<Shared>,
}

struct Shared {
    config: RefCell<Rc<DnsConfig>>,
    hosts: RefCell<Rc<Hosts>>,
    files: Option<Files>,
    ids: Ids,
    /// How many questions began, by which `rotate` chooses the server.
    turn: Cell<usize>,
}

impl DnsResolver {
    /// A resolver that asks as `config` says, and knows `hosts`.
    #[must_use]
    pub fn new(config: DnsConfig, hosts: Hosts) -> DnsResolver {
        DnsResolver::with(config, hosts, None)
    }

    /// A resolver of this system: `/etc/resolv.conf` and `/etc/hosts`, read here and now. So it blocks, for as
    /// long as it takes to read two small files: make it before the loop runs. A file that is not there is
    /// an empty one.
    ///
    /// # Errors
    /// What the kernel says of reading the files, with the path.
    pub fn from_system() -> io::Result<DnsResolver> {
        DnsResolver::from_files(CONFIG_PATH, HOSTS_PATH)
    }

    /// As [`DnsResolver::from_system`], from files elsewhere.
    ///
    /// # Errors
    /// What the kernel says of reading the files, with the path; `InvalidInput` for what is no regular file.
    pub fn from_files(
        config: impl AsRef<Path>,
        hosts: impl AsRef<Path>,
    ) -> io::Result<DnsResolver> {
        let (files, config, hosts) = Files::read(config.as_ref(), hosts.as_ref())?;
        Ok(DnsResolver::with(config, hosts, Some(files)))
    }

    fn with(config: DnsConfig, hosts: Hosts, files: Option<Files>) -> DnsResolver {
        DnsResolver {
            shared: Rc::new(Shared {
                config: RefCell::new(Rc::new(config)),
                hosts: RefCell::new(Rc::new(hosts)),
                files,
                ids: Ids::default(),
                turn: Cell::new(0),
            }),
        }
    }

    /// Reads the files again that have changed since, and says whether any had. Look-ups under way go on as
    /// they began. It blocks as [`DnsResolver::from_system`] does: two calls of `stat` if nothing changed. A
    /// resolver that was not made of files has none.
    ///
    /// # Errors
    /// As [`DnsResolver::from_files`]; then everything stays as it was.
    pub fn reload(&self) -> io::Result<bool> {
        let Some(files) = &self.shared.files else {
            return Ok(false);
        };
        let (config, hosts) = files.changed()?;
        let has_changed = config.is_some() || hosts.is_some();
        if let Some(config) = config {
            self.shared.config.replace(Rc::new(config));
        }
        if let Some(hosts) = hosts {
            self.shared.hosts.replace(Rc::new(hosts));
        }
        Ok(has_changed)
    }

    /// How servers are asked at present.
    #[must_use]
    pub fn config(&self) -> DnsConfig {
        DnsConfig::clone(&self.shared.config.borrow())
    }

    /// The addresses of `host`, sorted: those of IPv6 first, of tunnels and private networks of IPv6 last,
    /// and as the server gave them otherwise. Never empty.
    ///
    /// # Cancel safety
    /// Safe: dropping it closes its sockets, and a reply that comes later meets nobody.
    ///
    /// # Errors
    /// A [`DnsError`] inside an [`io::Error`]: who was asked, and what each said.
    #[track_caller]
    pub fn lookup(&self, host: &str) -> DnsAnswer<Vec<IpAddr>> {
        self.lookup_from(host, Location::caller())
    }

    fn lookup_from(&self, host: &str, here: Here) -> DnsAnswer<Vec<IpAddr>> {
        let (shared, host) = (Rc::clone(&self.shared), host.to_string());
        DnsAnswer::new(async move { shared.lookup(&host, here).await })
    }

    /// The name of an address: what the hosts file says, or the name of a server's PTR record.
    ///
    /// # Cancel safety
    /// Safe: dropping it closes its sockets.
    ///
    /// # Errors
    /// As for [`DnsResolver::lookup`]. An answer with anything but letters, digits, hyphens and underscores is
    /// not passed on.
    #[track_caller]
    pub fn reverse(&self, addr: IpAddr) -> DnsAnswer<String> {
        self.reverse_from(addr, Location::caller())
    }

    fn reverse_from(&self, addr: IpAddr, here: Here) -> DnsAnswer<String> {
        let shared = Rc::clone(&self.shared);
        DnsAnswer::new(async move { shared.reverse(addr, here).await })
    }

    /// Whatever a server says of one question: for records that are no addresses. The name is taken as it
    /// stands; the hosts file and the search list are not looked at.
    ///
    /// # Cancel safety
    /// Safe: dropping it closes its sockets.
    ///
    /// # Errors
    /// As for [`DnsResolver::lookup`], if no server answered. That there is no such name is an answer: see
    /// [`Message::code`].
    #[track_caller]
    pub fn query(&self, question: Question) -> DnsAnswer<Message> {
        let here = Location::caller();
        let shared = Rc::clone(&self.shared);
        DnsAnswer::new(async move {
            let config = Rc::clone(&shared.config.borrow());
            let mut client = shared.client(&config, shared.first(&config), here);
            match client.ask(&question).await {
                Some(reply) => Ok(reply),
                None => {
                    let host = question.name.to_string();
                    Err(DnsError::new(&host, Reason::NoAnswer, client.asked))
                }
            }
        })
    }
}

impl Shared {
    /// The server to begin with.
    fn first(&self, config: &DnsConfig) -> usize {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        if config.rotate { turn } else { 0 }
    }

    fn client<'a>(&'a self, config: &'a DnsConfig, first: usize, here: Here) -> Client<'a> {
        Client {
            config,
            ids: &self.ids,
            first,
            here,
            asked: Vec::new(),
        }
    }

    async fn lookup(&self, host: &str, here: Here) -> Result<Vec<IpAddr>, DnsError> {
        if let Ok(addr) = host.parse::<IpAddr>() {
            return Ok(vec![addr]);
        }
        let parsed = host.parse::<Name>();
        let name = parsed.map_err(|why| DnsError::new(host, Reason::Invalid(why), Vec::new()))?;
        if name.is_within(&localhost()) {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let hosts = Rc::clone(&self.hosts.borrow());
        let mut addresses = hosts.addresses(host).to_vec();
        if addresses.is_empty() {
            addresses = self.lookup_at_servers(host, &name, here).await?;
        }
        order::sort(&mut addresses);
        Ok(addresses)
    }

    async fn lookup_at_servers(
        &self,
        host: &str,
        name: &Name,
        here: Here,
    ) -> Result<Vec<IpAddr>, DnsError> {
        let config = Rc::clone(&self.config.borrow());
        let mut asked = Vec::new();
        let mut last = Reason::NoName;
        for candidate in candidates(name, host.ends_with('.'), &config) {
            let found = self.both_families(&candidate, &config, &mut asked, here);
            match found.await {
                Ok(addresses) => return Ok(addresses),
                Err(Reason::NoName) => {}
                Err(Reason::NoRecord) => last = Reason::NoRecord,
                Err(reason) => return Err(DnsError::new(host, reason, asked)),
            }
        }
        Err(DnsError::new(host, last, asked))
    }

    /// The addresses of one candidate, of both families.
    async fn both_families(
        &self,
        name: &Name,
        config: &DnsConfig,
        asked: &mut Vec<Asked>,
        here: Here,
    ) -> Result<Vec<IpAddr>, Reason> {
        let server = self.first(config);
        let mut first = self.client(config, server, here);
        let mut second = self.client(config, server, here);
        let (a, aaaa) = {
            let a = first.find(name, Kind::A);
            let aaaa = async {
                if config.no_aaaa {
                    return Err(Reason::NoRecord);
                }
                second.find(name, Kind::AAAA).await
            };
            if config.single_request {
                (a.await, aaaa.await)
            } else {
                both(a, aaaa).await
            }
        };
        asked.append(&mut first.asked);
        asked.append(&mut second.asked);
        let mut addresses = Vec::new();
        for records in [&a, &aaaa].into_iter().flatten() {
            addresses.extend(records.iter().filter_map(|record| match record.data {
                Data::A(addr) => Some(IpAddr::from(addr)),
                Data::Aaaa(addr) => Some(IpAddr::from(addr)),
                _ => None,
            }));
        }
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        // What is known of the name outweighs that one of the questions failed; a failure outweighs that
        // there is nothing of one kind.
        match (a.err(), aaaa.err()) {
            (Some(Reason::NoName), _) | (_, Some(Reason::NoName)) => Err(Reason::NoName),
            (Some(Reason::NoRecord) | None, Some(reason)) | (Some(reason), _) => Err(reason),
            (None, None) => Err(Reason::NoRecord),
        }
    }

    async fn reverse(&self, addr: IpAddr, here: Here) -> Result<String, DnsError> {
        let addr = addr.to_canonical();
        let hosts = Rc::clone(&self.hosts.borrow());
        if let Some(name) = hosts.name(addr) {
            return Ok(name.to_string());
        }
        if addr.is_loopback() {
            return Ok("localhost".to_string());
        }
        let config = Rc::clone(&self.config.borrow());
        let mut client = self.client(&config, self.first(&config), here);
        let found = client.find(&Name::reverse(addr), Kind::PTR).await;
        let failed = |reason| DnsError::new(&addr.to_string(), reason, client.asked);
        let records = match found {
            Ok(records) => records,
            Err(reason) => return Err(failed(reason)),
        };
        let names = records.iter().filter_map(|record| match &record.data {
            Data::Ptr(name) => Some(name),
            _ => None,
        });
        let mut fit = names.filter(|name| name.is_host_name());
        fit.next()
            .map(ToString::to_string)
            .ok_or_else(|| failed(Reason::NotHost))
    }
}

fn localhost() -> Name {
    match "localhost".parse() {
        Ok(name) => name,
        Err(_) => unreachable!("it is a name"),
    }
}

/// The names that a host may mean, the likeliest first.
fn candidates(name: &Name, is_whole: bool, config: &DnsConfig) -> Vec<Name> {
    if is_whole {
        return vec![name.clone()];
    }
    let search = config.search.iter();
    let mut candidates: Vec<Name> = search.filter_map(|parent| name.below(parent)).collect();
    candidates.retain(|candidate| candidate != name);
    let dots = name.labels().count().saturating_sub(1);
    let place = if dots >= usize::from(config.ndots) {
        0
    } else {
        candidates.len()
    };
    candidates.insert(place, name.clone());
    candidates
}

/// Awaits two futures at once.
async fn both<A: Future, B: Future>(first: A, second: B) -> (A::Output, B::Output) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut one, mut other) = (None, None);
    poll_fn(move |cx| {
        if one.is_none() {
            if let Poll::Ready(output) = first.as_mut().poll(cx) {
                one = Some(output);
            }
        }
        if other.is_none() {
            if let Poll::Ready(output) = second.as_mut().poll(cx) {
                other = Some(output);
            }
        }
        match (one.take(), other.take()) {
            (Some(one), Some(other)) => Poll::Ready((one, other)),
            (left, right) => {
                (one, other) = (left, right);
                Poll::Pending
            }
        }
    })
    .await
}

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DnsResolver")
            .field("servers", &self.shared.config.borrow().servers)
            .field("hosts", &self.shared.hosts.borrow().len())
            .finish_non_exhaustive()
    }
}

/// An answer of the network to come. Made by the methods of [`DnsResolver`]. It owns what it needs, on the heap:
/// a chain of retries, servers and connections has no size that one would want in a task.
///
/// # Cancel safety
/// Safe: dropping it closes its sockets.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct DnsAnswer<T> {
    future: Pin<Box<dyn Future<Output = Result<T, DnsError>>>>,
}

impl<T> DnsAnswer<T> {
    fn new(future: impl Future<Output = Result<T, DnsError>> + 'static) -> DnsAnswer<T> {
        DnsAnswer {
            future: Box::pin(future),
        }
    }
}

impl<T> Future for DnsAnswer<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.future.as_mut().poll(cx).map_err(io::Error::from)
    }
}

impl<T> fmt::Debug for DnsAnswer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DnsAnswer")
    }
}

#[cfg(all(test, not(mainspring_loom)))]
mod tests;
