//! Publish and subscribe: channels by name, and for each subscriber an outbox of bounded size.
//!
//! *Slow subscribers.* A publisher waits for nobody. What a subscriber does not read piles up in its outbox, to a
//! limit; then its connection is ended, and the others notice nothing.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::Shutdown;
use std::rc::Rc;

use mainspring::net::TcpStream;
use mainspring::sync::Event;

use crate::protocol::Answers;
use crate::store::Text;

/// What a subscriber may leave unread here, in bytes, beside what the kernel holds for it.
const UNREAD_MAX: usize = 1024 * 1024;

/// Messages that a client has not been sent yet.
pub(crate) struct Outbox {
    stream: Rc<TcpStream>,
    messages: RefCell<Vec<u8>>,
    /// How many bytes were taken from here and are being sent.
    sending: Cell<usize>,
    /// Whether there are messages.
    pub(crate) filled: Event,
}

impl Outbox {
    fn push(&self, message: &[u8]) {
        let mut messages = self.messages.borrow_mut();
        if messages.len() + self.sending.get() + message.len() > UNREAD_MAX {
            // The client's own task meets the error, and cleans up.
            let _ = self.stream.shutdown(Shutdown::Both);
            return;
        }
        messages.extend_from_slice(message);
        self.filled.set();
    }

    /// Moves the messages behind the answers, where they belong.
    pub(crate) fn empty_into(&self, answers: &mut Answers) {
        answers.0.append(&mut self.messages.borrow_mut());
        self.filled.clear();
        self.sending.set(answers.0.len());
    }
}

/// Who listens to which channel, in the order in which they came.
#[derive(Default)]
pub(crate) struct Hub(RefCell<HashMap<Text, Vec<Rc<Outbox>>>>);

impl Hub {
    /// Sends a message to all who listen, and says how many these are.
    pub(crate) fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let channels = self.0.borrow();
        let Some(subscribers) = channels.get(channel) else {
            return 0;
        };
        let mut answers = Answers::default();
        answers.array(3);
        answers.bulk(b"message");
        answers.bulk(channel);
        answers.bulk(message);
        for outbox in subscribers {
            outbox.push(&answers.0);
        }
        subscribers.len()
    }
}

/// One client's subscriptions, which end with it.
pub(crate) struct Subscriptions {
    hub: Rc<Hub>,
    pub(crate) outbox: Rc<Outbox>,
    channels: Vec<Text>,
}

impl Subscriptions {
    pub(crate) fn new(hub: &Rc<Hub>, stream: &Rc<TcpStream>) -> Subscriptions {
        Subscriptions {
            hub: Rc::clone(hub),
            outbox: Rc::new(Outbox {
                stream: Rc::clone(stream),
                messages: RefCell::default(),
                sending: Cell::new(0),
                filled: Event::new(),
            }),
            channels: Vec::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.channels.is_empty()
    }

    pub(crate) fn add(&mut self, channel: &[u8], answers: &mut Answers) {
        if !self.channels.iter().any(|known| known == channel) {
            self.channels.push(channel.to_vec());
            let mut channels = self.hub.0.borrow_mut();
            let subscribers = channels.entry(channel.to_vec()).or_default();
            subscribers.push(Rc::clone(&self.outbox));
        }
        self.tell("subscribe", Some(channel), answers);
    }

    pub(crate) fn remove(&mut self, channel: &[u8], answers: &mut Answers) {
        self.channels.retain(|known| known != channel);
        self.leave(channel);
        self.tell("unsubscribe", Some(channel), answers);
    }

    pub(crate) fn remove_all(&mut self, answers: &mut Answers) {
        if self.is_empty() {
            self.tell("unsubscribe", None, answers);
        }
        while let Some(channel) = self.channels.first().cloned() {
            self.remove(&channel, answers);
        }
    }

    /// What was done, to which channel, and how many are left.
    fn tell(&self, word: &str, channel: Option<&[u8]>, answers: &mut Answers) {
        answers.array(3);
        answers.bulk(word.as_bytes());
        match channel {
            Some(channel) => answers.bulk(channel),
            None => answers.nothing(),
        }
        answers.count(self.channels.len());
    }

    fn leave(&self, channel: &[u8]) {
        let mut channels = self.hub.0.borrow_mut();
        if let Some(subscribers) = channels.get_mut(channel) {
            subscribers.retain(|outbox| !Rc::ptr_eq(outbox, &self.outbox));
            if subscribers.is_empty() {
                channels.remove(channel);
            }
        }
    }
}

impl Drop for Subscriptions {
    fn drop(&mut self) {
        for channel in &self.channels {
            self.leave(channel);
        }
    }
}
