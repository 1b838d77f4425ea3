//! The commands: each reads its arguments, changes the data, and writes its answer.
//!
//! None of them waits. One that has to ([`After::Wait`]) says for what, and the connection does it.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use mainspring::sync::Event;

use crate::protocol::{Answers, Request, number};
use crate::pubsub::{Hub, Subscriptions};
use crate::store::{Store, Text, WrongKind};

/// What the connection does next.
pub(crate) enum After {
    Next,
    /// Waits for an item of one of these lists, for so long.
    Wait(Vec<Text>, Duration),
    End,
}

/// Why a command did nothing.
pub(crate) enum Failure {
    Arguments,
    WrongKind,
    Unknown,
    Subscribed,
    Words(&'static str),
}

impl From<WrongKind> for Failure {
    fn from(_: WrongKind) -> Failure {
        Failure::WrongKind
    }
}

const NO_NUMBER: Failure = Failure::Words("ERR value is not an integer or out of range");
const NO_SYNTAX: Failure = Failure::Words("ERR syntax error");
const NO_TIME: Failure = Failure::Words("ERR timeout is not a float or out of range");

/// A failure with the command's name.
struct Named<'a>(Failure, &'a [u8]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name may be anything; an answer is one line.
        let name = self.1.escape_ascii();
        match self.0 {
            Failure::Arguments => write!(f, "ERR wrong number of arguments for '{name}' command"),
            Failure::WrongKind => {
                f.write_str("WRONGTYPE Operation against a key holding the wrong kind of value")
            }
            Failure::Unknown => write!(f, "ERR unknown command '{name}'"),
            Failure::Subscribed => {
                write!(f, "ERR '{name}' must wait until you have unsubscribed")
            }
            Failure::Words(words) => f.write_str(words),
        }
    }
}

type Outcome = Result<After, Failure>;

/// Who asks, and what it reaches.
pub(crate) struct Client<'a> {
    pub(crate) store: &'a RefCell<Store>,
    pub(crate) hub: &'a Rc<Hub>,
    pub(crate) closing: &'a Event,
    pub(crate) subscriptions: &'a mut Subscriptions,
    pub(crate) answers: &'a mut Answers,
}

impl Client<'_> {
    /// Carries a request out, and answers it.
    pub(crate) fn execute(&mut self, request: Request<'_>) -> After {
        let name = request.argument(0);
        let mut upper = [0; 16];
        let Some(upper) = upper.get_mut(..name.len()) else {
            self.answers.error(Named(Failure::Unknown, &name[..16]));
            return After::Next;
        };
        upper.copy_from_slice(name);
        upper.make_ascii_uppercase();
        let outcome = self.strings(upper, request).unwrap_or_else(|failure| {
            self.answers.error(Named(failure, name));
            After::Next
        });
        if !self.subscriptions.is_empty() {
            self.subscriptions.outbox.empty_into(self.answers);
        }
        outcome
    }

    fn strings(&mut self, name: &[u8], request: Request<'_>) -> Outcome {
        let is_allowed: &[&[u8]] = &[b"SUBSCRIBE", b"UNSUBSCRIBE", b"PING", b"QUIT"];
        if !self.subscriptions.is_empty() && !is_allowed.contains(&name) {
            return Err(Failure::Subscribed);
        }
        let (count, answers) = (request.len(), &mut *self.answers);
        let mut store = self.store.borrow_mut();
        match (name, count) {
            (b"GET", 2) => match store.text(request.argument(1))? {
                Some(text) => answers.bulk(text),
                None => answers.nothing(),
            },
            (b"SET", 3..) => {
                drop(store);
                return self.set(request);
            }
            (b"MSET", 3..) if count % 2 == 1 => {
                let mut pairs = request.from(1);
                while let (Some(key), Some(text)) = (pairs.next(), pairs.next()) {
                    store.set(key, text);
                }
                answers.word("OK");
            }
            (b"MGET", 2..) => {
                answers.array(count - 1);
                for key in request.from(1) {
                    match store.text(key) {
                        Ok(Some(text)) => answers.bulk(text),
                        _ => answers.nothing(),
                    }
                }
            }
            (b"INCR", 2) => answers.integer(add(&mut store, request, Some(1))?),
            (b"DECR", 2) => answers.integer(add(&mut store, request, Some(-1))?),
            (b"INCRBY", 3) => {
                let by = number(request.argument(2));
                answers.integer(add(&mut store, request, by)?);
            }
            (b"GET" | b"SET" | b"MSET" | b"MGET" | b"INCR" | b"DECR" | b"INCRBY", _) => {
                return Err(Failure::Arguments);
            }
            _ => {
                drop(store);
                return self.keys(name, request);
            }
        }
        Ok(After::Next)
    }

    fn set(&mut self, request: Request<'_>) -> Outcome {
        let (key, mut time, mut only_new) = (request.argument(1), None, false);
        let mut options = request.from(3);
        while let Some(option) = options.next() {
            if option.eq_ignore_ascii_case(b"NX") {
                only_new = true;
                continue;
            }
            let unit = match option {
                _ if option.eq_ignore_ascii_case(b"EX") => 1000,
                _ if option.eq_ignore_ascii_case(b"PX") => 1,
                _ => return Err(NO_SYNTAX),
            };
            let count = number(options.next().ok_or(NO_SYNTAX)?).ok_or(NO_NUMBER)?;
            let wrong = Failure::Words("ERR invalid expire time in 'set' command");
            time = Some(
                milliseconds(count, unit)
                    .filter(|time| !time.is_zero())
                    .ok_or(wrong)?,
            );
        }
        let mut store = self.store.borrow_mut();
        if only_new && store.value(key).is_some() {
            self.answers.nothing();
            return Ok(After::Next);
        }
        store.set(key, request.argument(2));
        if let Some(time) = time {
            store.end_in(key, time);
        }
        self.answers.word("OK");
        Ok(After::Next)
    }

    fn keys(&mut self, name: &[u8], request: Request<'_>) -> Outcome {
        let (count, answers) = (request.len(), &mut *self.answers);
        let mut store = self.store.borrow_mut();
        match (name, count) {
            (b"DEL", 2..) => {
                let there = request.from(1).filter(|key| {
                    // One whose end has come does not count.
                    store.value(key).is_some() && store.remove(key)
                });
                answers.count(there.count());
            }
            (b"EXISTS", 2..) => {
                let there = request.from(1).filter(|key| store.value(key).is_some());
                answers.count(there.count());
            }
            (b"EXPIRE" | b"PEXPIRE", 3) => {
                let unit = if name == b"EXPIRE" { 1000 } else { 1 };
                let time = number(request.argument(2)).ok_or(NO_NUMBER)?;
                let key = request.argument(1);
                let is_there = match milliseconds(time, unit) {
                    Some(time) => store.end_in(key, time),
                    // In the past.
                    None => store.value(key).is_some() && store.remove(key),
                };
                answers.integer(i64::from(is_there));
            }
            (b"PERSIST", 2) => answers.integer(store.never_end(request.argument(1)).into()),
            (b"TTL" | b"PTTL", 2) => {
                let unit = if name == b"TTL" { 1000 } else { 1 };
                answers.integer(match store.time_left(request.argument(1)) {
                    None => -2,
                    Some(None) => -1,
                    // Rounded up: a key is not yet gone while this is more than zero.
                    Some(Some(left)) => left.as_millis().div_ceil(unit) as i64,
                });
            }
            (b"FLUSHALL" | b"FLUSHDB", _) => {
                store.clear();
                answers.word("OK");
            }
            (b"DBSIZE", 1) => answers.count(store.len()),
            (b"DEL" | b"EXISTS" | b"EXPIRE" | b"PEXPIRE" | b"PERSIST" | b"TTL" | b"PTTL", _) => {
                return Err(Failure::Arguments);
            }
            _ => {
                drop(store);
                return self.lists(name, request);
            }
        }
        Ok(After::Next)
    }

    fn lists(&mut self, name: &[u8], request: Request<'_>) -> Outcome {
        let (count, answers) = (request.len(), &mut *self.answers);
        let is_front = matches!(name, [b'L' | b'B', ..]);
        let mut store = self.store.borrow_mut();
        match (name, count) {
            (b"LPUSH" | b"RPUSH", 3..) => {
                answers.count(store.push(request.argument(1), request.from(2), is_front)?);
            }
            (b"LPOP" | b"RPOP", 2) => match store.pop(request.argument(1), is_front)? {
                Some(item) => answers.bulk(&item),
                None => answers.nothing(),
            },
            (b"LPOP" | b"RPOP", 3) => {
                let most = number(request.argument(2)).and_then(|most| usize::try_from(most).ok());
                let most = most.ok_or(NO_NUMBER)?;
                let key = request.argument(1);
                match store.list(key)?.map(|list| list.len().min(most)) {
                    None => answers.no_array(),
                    Some(length) => {
                        answers.array(length);
                        for _ in 0..length {
                            answers.bulk(&store.pop(key, is_front)?.unwrap_or_default());
                        }
                    }
                }
            }
            (b"LLEN", 2) => {
                answers.count(
                    store
                        .list(request.argument(1))?
                        .map_or(0, |list| list.len()),
                );
            }
            (b"LRANGE", 4) => {
                let first = number(request.argument(2)).ok_or(NO_NUMBER)?;
                let last = number(request.argument(3)).ok_or(NO_NUMBER)?;
                let Some(list) = store.list(request.argument(1))? else {
                    answers.array(0);
                    return Ok(After::Next);
                };
                let range = span(first, last, list.len());
                answers.array(range.len());
                list.range(range).for_each(|item| answers.bulk(item));
            }
            (b"BLPOP", 3..) => {
                let time = wait_time(request.argument(count - 1))?;
                let keys = request.from(1).take(count - 2);
                for key in keys.clone() {
                    if let Some(item) = store.pop(key, true)? {
                        answers.array(2);
                        answers.bulk(key);
                        answers.bulk(&item);
                        return Ok(After::Next);
                    }
                }
                return Ok(After::Wait(keys.map(<[u8]>::to_vec).collect(), time));
            }
            (b"LPUSH" | b"RPUSH" | b"LPOP" | b"RPOP" | b"LLEN" | b"LRANGE" | b"BLPOP", _) => {
                return Err(Failure::Arguments);
            }
            _ => {
                drop(store);
                return self.connection(name, request);
            }
        }
        Ok(After::Next)
    }

    fn connection(&mut self, name: &[u8], request: Request<'_>) -> Outcome {
        let (count, answers) = (request.len(), &mut *self.answers);
        match (name, count) {
            (b"PING", 1 | 2) if !self.subscriptions.is_empty() => {
                answers.array(2);
                answers.bulk(b"pong");
                answers.bulk(request.from(1).next().unwrap_or(b""));
            }
            (b"PING", 1) => answers.word("PONG"),
            (b"PING" | b"ECHO", 2) => answers.bulk(request.argument(1)),
            (b"PUBLISH", 3) => {
                answers.count(self.hub.publish(request.argument(1), request.argument(2)));
            }
            (b"SUBSCRIBE", 2..) => {
                for channel in request.from(1) {
                    self.subscriptions.add(channel, answers);
                }
            }
            (b"UNSUBSCRIBE", 1) => self.subscriptions.remove_all(answers),
            (b"UNSUBSCRIBE", _) => {
                for channel in request.from(1) {
                    self.subscriptions.remove(channel, answers);
                }
            }
            (b"QUIT", _) => {
                answers.word("OK");
                return Ok(After::End);
            }
            // Like Redis's it has no answer but the end.
            (b"SHUTDOWN", _) => {
                self.closing.set();
                return Ok(After::End);
            }
            (b"INFO", _) => {
                let store = self.store.borrow();
                let (keys, waiting) = (store.len(), store.turns);
                let text = format!(
                    "# Server\r\nserver:kv_server\r\n# Clients\r\nwaiting:{waiting}\r\n\
                     # Keyspace\r\nkeys:{keys}\r\n"
                );
                answers.bulk(text.as_bytes());
            }
            // What clients ask before they begin: there is nothing to configure.
            (b"COMMAND", _) => answers.array(0),
            (b"CONFIG", 3) => {
                answers.array(2);
                answers.bulk(request.argument(2));
                answers.bulk(b"");
            }
            (b"CLIENT" | b"SELECT", 2..) => answers.word("OK"),
            (b"PING" | b"ECHO" | b"PUBLISH" | b"SUBSCRIBE" | b"CONFIG", _) => {
                return Err(Failure::Arguments);
            }
            _ => return Err(Failure::Unknown),
        }
        Ok(After::Next)
    }
}

/// Adds to a number, which keeps its end.
fn add(store: &mut Store, request: Request<'_>, by: Option<i64>) -> Result<i64, Failure> {
    let (key, by) = (request.argument(1), by.ok_or(NO_NUMBER)?);
    let Some(text) = store.text(key)? else {
        store.set(key, by.to_string().as_bytes());
        return Ok(by);
    };
    let before = number(text).ok_or(NO_NUMBER)?;
    let overflow = Failure::Words("ERR increment or decrement would overflow");
    let after = before.checked_add(by).ok_or(overflow)?;
    *text = after.to_string().into_bytes();
    Ok(after)
}

/// So many units of so many milliseconds; `None` if that is in the past.
fn milliseconds(count: i64, unit: u64) -> Option<Duration> {
    let count = u64::try_from(count).ok()?;
    Some(Duration::from_millis(count.saturating_mul(unit)))
}

/// How long `BLPOP` waits: seconds, and zero for ever.
fn wait_time(text: &[u8]) -> Result<Duration, Failure> {
    let text = std::str::from_utf8(text).map_err(|_| NO_TIME)?;
    let seconds: f64 = text.parse().map_err(|_| NO_TIME)?;
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| NO_TIME)?;
    Ok(if time.is_zero() { Duration::MAX } else { time })
}

/// From the first to the last, both counted from the end if they are negative, and no further than there are.
fn span(first: i64, last: i64, length: usize) -> std::ops::Range<usize> {
    let place = |index: i64| {
        let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        if index < 0 {
            length.saturating_sub(back)
        } else {
            back.min(length)
        }
    };
    let behind_last = if last < 0 && last.unsigned_abs() > length as u64 {
        0
    } else {
        place(last).saturating_add(1).min(length)
    };
    let first = place(first).min(behind_last);
    first..behind_last
}
