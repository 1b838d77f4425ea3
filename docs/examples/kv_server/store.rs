//! The data: strings and lists by key, some of which end by themselves, and the clients that wait for a list.
//!
//! *Time.* Keys with an end stand in a [`DelayQueue`], which one task empties ([`expire`]). That task runs in its
//! turn, so whoever looks at a key with an end looks at the clock as well: no key is seen after its end.
//!
//! *Waiting.* Who waits for a list has a [`Turn`]. The clients of one key stand in a line, and a push hands items
//! to the first of them, so nobody who comes later gets in between. A turn that is dropped gives back what it was
//! handed and did not fetch.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use mainspring::channel::oneshot;
use mainspring::time::{DelayKey, DelayQueue, now};

pub(crate) type Text = Vec<u8>;
pub(crate) type List = VecDeque<Text>;

pub(crate) enum Value {
    Text(Text),
    List(List),
}

struct Entry {
    value: Value,
    end: Option<DelayKey>,
}

/// A key holds another kind of value than the command is for.
pub(crate) struct WrongKind;

/// An item, and the list that it was taken from.
type Popped = (Text, Text);

/// A client's place in the line of each list it waits for; empty once it was served.
type Seat = Rc<Cell<Option<oneshot::Sender<Popped>>>>;

pub(crate) struct Store {
    entries: HashMap<Text, Entry>,
    ends: DelayQueue<Text>,
    waiting: HashMap<Text, VecDeque<Seat>>,
    /// How many clients wait.
    pub(crate) turns: usize,
}

impl Store {
    pub(crate) fn new() -> Store {
        let mut ends = DelayQueue::new();
        // Never due: so the queue is never empty, and whoever waits for it waits for what comes first.
        ends.insert(Text::new(), Duration::MAX);
        Store {
            entries: HashMap::new(),
            ends,
            waiting: HashMap::new(),
            turns: 0,
        }
    }

    /// Removes the key if its end has come and the task that removes it has not.
    fn look(&mut self, key: &[u8]) {
        let end = self.entries.get(key).and_then(|entry| entry.end);
        let deadline = end.and_then(|end| self.ends.deadline(end));
        if deadline.is_some_and(|deadline| deadline <= now()) {
            self.remove(key);
        }
    }

    pub(crate) fn value(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.look(key);
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    pub(crate) fn text(&mut self, key: &[u8]) -> Result<Option<&mut Text>, WrongKind> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::List(_)) => Err(WrongKind),
        }
    }

    pub(crate) fn list(&mut self, key: &[u8]) -> Result<Option<&mut List>, WrongKind> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::List(list)) => Ok(Some(list)),
            Some(Value::Text(_)) => Err(WrongKind),
        }
    }

    /// Sets a string, without an end.
    pub(crate) fn set(&mut self, key: &[u8], text: &[u8]) {
        let value = Value::Text(text.to_vec());
        match self.entries.get_mut(key) {
            None => drop(
                self.entries
                    .insert(key.to_vec(), Entry { value, end: None }),
            ),
            Some(entry) => {
                entry.value = value;
                if let Some(end) = entry.end.take() {
                    self.ends.remove(end);
                }
            }
        }
    }

    /// Says whether it was there.
    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        let Some(entry) = self.entries.remove(key) else {
            return false;
        };
        if let Some(end) = entry.end {
            self.ends.remove(end);
        }
        true
    }

    /// Gives a key an end; says whether it is there.
    pub(crate) fn end_in(&mut self, key: &[u8], time: Duration) -> bool {
        self.look(key);
        let Some(entry) = self.entries.get_mut(key) else {
            return false;
        };
        match entry.end {
            Some(end) => drop(self.ends.reset(end, time)),
            None => entry.end = Some(self.ends.insert(key.to_vec(), time)),
        }
        true
    }

    /// Says whether the key had an end.
    pub(crate) fn never_end(&mut self, key: &[u8]) -> bool {
        self.look(key);
        let end = self.entries.get_mut(key).and_then(|entry| entry.end.take());
        end.is_some_and(|end| self.ends.remove(end).is_some())
    }

    /// How long a key lives yet, if it is there, and if it has an end.
    pub(crate) fn time_left(&mut self, key: &[u8]) -> Option<Option<Duration>> {
        self.look(key);
        let end = self.entries.get(key)?.end;
        let deadline = end.and_then(|end| self.ends.deadline(end));
        Some(deadline.map(|deadline| deadline - now()))
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.ends.clear();
        self.ends.insert(Text::new(), Duration::MAX);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds to a list, at its front or its back, and says how long it is then. Those who wait are served after
    /// that.
    pub(crate) fn push<'a>(
        &mut self,
        key: &[u8],
        items: impl Iterator<Item = &'a [u8]>,
        is_front: bool,
    ) -> Result<usize, WrongKind> {
        self.look(key);
        if !self.entries.contains_key(key) {
            let value = Value::List(List::new());
            self.entries
                .insert(key.to_vec(), Entry { value, end: None });
        }
        let Some(list) = self.list(key)? else {
            return Ok(0);
        };
        for item in items {
            if is_front {
                list.push_front(item.to_vec());
            } else {
                list.push_back(item.to_vec());
            }
        }
        let length = list.len();
        self.serve(key);
        Ok(length)
    }

    /// Takes an item from a list's front, or its back; a list without items is no list.
    pub(crate) fn pop(&mut self, key: &[u8], is_front: bool) -> Result<Option<Text>, WrongKind> {
        let Some(list) = self.list(key)? else {
            return Ok(None);
        };
        let item = if is_front {
            list.pop_front()
        } else {
            list.pop_back()
        };
        if list.is_empty() {
            self.remove(key);
        }
        Ok(item)
    }

    /// Hands what a list has to those who wait for it, first come, first served.
    fn serve(&mut self, key: &[u8]) {
        while let Some(line) = self.waiting.get_mut(key) {
            // One that was served through another list, or is gone, is passed by.
            let sender = line.front().and_then(|seat| seat.take());
            let Some(sender) = sender.filter(|sender| !sender.is_closed()) else {
                line.pop_front();
                if line.is_empty() {
                    self.waiting.remove(key);
                }
                continue;
            };
            match self.pop(key, true) {
                Ok(Some(item)) => drop(sender.send((key.to_vec(), item))),
                // The list has no more: the seat stays the first.
                _ => {
                    if let Some(seat) = self.waiting.get(key).and_then(VecDeque::front) {
                        seat.set(Some(sender));
                    }
                    return;
                }
            }
        }
    }
}

/// A client's turn at one of several lists.
pub(crate) struct Turn {
    store: Rc<RefCell<Store>>,
    keys: Vec<Text>,
    seat: Seat,
    receiver: oneshot::Receiver<Popped>,
}

impl Turn {
    /// The client stands last in the line of each list.
    pub(crate) fn new(store: &Rc<RefCell<Store>>, keys: Vec<Text>) -> Turn {
        store.borrow_mut().turns += 1;
        let (sender, receiver) = mainspring::channel::oneshot();
        let seat = Rc::new(Cell::new(Some(sender)));
        for key in &keys {
            let mut store = store.borrow_mut();
            let line = store.waiting.entry(key.clone()).or_default();
            line.push_back(Rc::clone(&seat));
        }
        Turn {
            store: Rc::clone(store),
            keys,
            seat,
            receiver,
        }
    }

    /// What it is handed, and the key of the list. Dropping this future loses nothing.
    pub(crate) async fn item(&mut self) -> Popped {
        match (&mut self.receiver).await {
            Ok(popped) => popped,
            // Its sender stands in the seat, which this holds.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut store = self.store.borrow_mut();
        store.turns -= 1;
        for key in &self.keys {
            let line = store.waiting.get_mut(key);
            let is_over = line.is_some_and(|line| {
                line.retain(|seat| !Rc::ptr_eq(seat, &self.seat));
                line.is_empty()
            });
            if is_over {
                store.waiting.remove(key);
            }
        }
        if let Ok((key, item)) = self.receiver.try_recv() {
            // Back to where it was taken from, if that is still a list.
            let _ = store.push(&key, std::iter::once(&item[..]), true);
        }
    }
}

/// Removes keys as their ends come, for ever.
pub(crate) async fn expire(store: Rc<RefCell<Store>>) {
    while let Some(due) = poll_fn(|cx| store.borrow_mut().ends.poll_due(cx)).await {
        store.borrow_mut().entries.remove(&due.item);
    }
}
