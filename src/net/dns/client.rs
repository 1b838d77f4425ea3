//! `Client`: one question to the servers of a configuration, until one of them answers it.
//!
//! *Model.*
//!
//! ```text
//!   ask      for each attempt, for each server        first answer that counts, NOERROR or NXDOMAIN
//!    └ try_server   UDP ── truncated ──► TCP          FORMERR, NOTIMP: once more, without EDNS
//!       └ Exchange                                    one socket, one question
//!   find     ask, follow the CNAMEs in the answer; ask for the last one if the answer stops there
//! ```
//!
//! *What does not count.* Silence, SERVFAIL, REFUSED and every other code, garbage, a referral, a server that
//! cannot be reached: the next one is asked. NXDOMAIN counts: another server would be another truth.
//!
//! *Bounds.* `attempts × servers` tries, each of at most four exchanges (two over UDP, two over TCP), each of
//! at most `timeout`; [`LINKS_MAX`] CNAMEs in all.

use std::net::SocketAddr;

use super::Here;
use super::config::DnsConfig;
use super::error::{Asked, Reason, Said};
use super::exchange::{Answer, Exchange, Ids};
use super::message::{Code, Data, Kind, Message, Name, Question, Record};

/// How many other names a name may stand for, one after the other.
const LINKS_MAX: usize = 16;

/// Whoever asks, for one look-up: the configuration it began with, and what was said.
pub(super) struct Client<'a> {
    pub(super) config: &'a DnsConfig,
    pub(super) ids: &'a Ids,
    /// The server to begin with.
    pub(super) first: usize,
    pub(super) here: Here,
    pub(super) asked: Vec<Asked>,
}

impl Client<'_> {
    /// The records of `kind` that `name` has, or the names it stands for have.
    pub(super) async fn find(&mut self, name: &Name, kind: Kind) -> Result<Vec<Record>, Reason> {
        let mut name = name.clone();
        let mut links = 0;
        loop {
            let question = Question::new(name.clone(), kind);
            let reply = self.ask(&question).await.ok_or(Reason::NoAnswer)?;
            let before = links;
            name = follow(&reply, name, kind, &mut links).ok_or(Reason::Circle)?;
            let is_answer = |record: &Record| record.answers(&name, kind);
            if reply.answers.iter().any(is_answer) {
                return Ok(reply.answers.into_iter().filter(is_answer).collect());
            }
            let is_end = |record: &Record| record.data.kind() == Kind::SOA;
            if reply.code == Code::NAME_ERROR {
                return Err(Reason::NoName);
            }
            if links == before || reply.authority.iter().any(is_end) {
                return Err(Reason::NoRecord);
            }
        }
    }

    /// The first answer that counts.
    pub(super) async fn ask(&mut self, question: &Question) -> Option<Message> {
        let servers = &self.config.servers;
        for _ in 0..self.config.attempts.max(1) {
            for index in 0..servers.len() {
                let server = servers[(self.first + index) % servers.len()];
                let reply = self.try_server(server, question).await;
                if reply.is_some() {
                    return reply;
                }
            }
        }
        None
    }

    async fn try_server(&mut self, server: SocketAddr, question: &Question) -> Option<Message> {
        let (mut has_edns, mut over_tcp) = (true, self.config.use_tcp);
        loop {
            let exchange = Exchange {
                server,
                question,
                id: self.ids.next(),
                has_edns,
                timeout: self.config.timeout,
                here: self.here,
            };
            let answer = if over_tcp {
                exchange.over_tcp().await
            } else {
                exchange.over_udp().await
            };
            let mut note = |said: Said| {
                self.asked.push(Asked {
                    name: question.name.clone(),
                    kind: question.kind,
                    server,
                    over_tcp,
                    said,
                });
            };
            match answer {
                // Not over TCP, where nothing is cut: so this happens once.
                Ok(Answer::Truncated) => over_tcp = true,
                Ok(Answer::Whole(reply)) => {
                    let code = reply.code;
                    match code {
                        Code::NO_ERROR if is_referral(&reply) => {
                            note(Said::Referral);
                            return None;
                        }
                        Code::NO_ERROR | Code::NAME_ERROR => {
                            note(Said::Code(code));
                            return Some(reply);
                        }
                        Code::FORMAT_ERROR | Code::NOT_IMPLEMENTED if has_edns => has_edns = false,
                        _ => {
                            note(Said::Code(code));
                            return None;
                        }
                    }
                }
                Err(said) => {
                    note(said);
                    return None;
                }
            }
        }
    }
}

/// Whether the server says only that others would know.
fn is_referral(reply: &Message) -> bool {
    let is_end = |record: &Record| record.data.kind() == Kind::SOA;
    reply.answers.is_empty()
        && !reply.is_authoritative
        && !reply.offers_recursion
        && !reply.authority.is_empty()
        && !reply.authority.iter().any(is_end)
}

/// The name at the end of the chain that begins with `name`. `links` counts; `None` when they are too many.
fn follow(reply: &Message, mut name: Name, kind: Kind, links: &mut usize) -> Option<Name> {
    loop {
        let mut answers = reply.answers.iter();
        if answers.any(|record| record.answers(&name, kind)) {
            return Some(name);
        }
        let target = reply.answers.iter().find_map(|record| match &record.data {
            Data::Cname(target) if record.answers(&name, Kind::CNAME) => Some(target),
            _ => None,
        });
        let Some(target) = target else {
            return Some(name);
        };
        *links += 1;
        if *links > LINKS_MAX {
            return None;
        }
        name = target.clone();
    }
}
