//! `JoinMap`: a set of tasks, each under a key.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::set::{JoinNextWithId, JoinSet, result_of};
use crate::pin::{Plain, pinned_mut};
use crate::task::join::JoinError;
use crate::task::record::SpawnMeta;

/// Tasks of one type of output, each under a key, whose results are fetched in the order in which they end.
///
/// One key names one task at a time: a task that is started under a key in use aborts the one before, whose result
/// is dropped. Otherwise it is a [`JoinSet`].
///
/// ```
/// use mainspring::task::JoinMap;
/// mainspring::run(async {
///     let mut map = JoinMap::new();
///     map.spawn("never", std::future::pending());
///     map.spawn("two", async { 2 });
///     assert_eq!(map.join_next().await.map(|(key, result)| (key, result.unwrap())), Some(("two", 2)));
///     assert!(map.abort(&"never"));
///     let (key, result) = map.join_next().await.unwrap();
///     assert!(key == "never" && result.unwrap_err().is_aborted());
///     assert!(map.join_next().await.is_none());
/// })
/// .unwrap();
/// ```
pub struct JoinMap<K, T> {
    set: JoinSet<T>,
    /// The member under each key, and the key of each member.
    members: HashMap<K, u32>,
    keys: HashMap<u32, K>,
}

impl<K: Clone + Eq + Hash, T> JoinMap<K, T> {
    /// A map without tasks.
    #[must_use]
    #[track_caller]
    pub fn new() -> JoinMap<K, T> {
        JoinMap {
            set: JoinSet::new(),
            members: HashMap::new(),
            keys: HashMap::new(),
        }
    }

    /// Starts a task under `key`, as [`spawn`](crate::spawn()) does; aborts the one that was there.
    ///
    /// # Panics
    /// Where no loop runs.
    #[track_caller]
    pub fn spawn<F>(&mut self, key: K, future: F)
    where
        F: Future<Output = T> + 'static,
    {
        let member = self.set.add(future, SpawnMeta::at(Location::caller()));
        if let Some(earlier) = self.members.insert(key.clone(), member) {
            self.keys.remove(&earlier);
            self.set.member(earlier).abort();
        }
        self.keys.insert(member, key);
    }

    /// Aborts the task under `key`; it is joined as aborted, unless it has ended. Says whether there is one.
    pub fn abort(&self, key: &K) -> bool {
        let member = self.members.get(key);
        if let Some(member) = member {
            self.set.member(*member).abort();
        }
        member.is_some()
    }

    /// Aborts all tasks.
    pub fn abort_all(&self) {
        self.set.abort_all();
    }

    /// Whether there is a task under `key` that is not joined.
    #[must_use]
    pub fn contains_key(&self, key: &K) -> bool {
        self.members.contains_key(key)
    }

    /// How many keys have a task that is not joined.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether all tasks have been joined.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Waits for the next task to end, and takes its key and result; `None` if there is none left.
    ///
    /// # Cancel safety
    /// Safe: a result is taken in the poll that returns it.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNextKey<'_, K, T> {
        JoinNextKey {
            next: self.set.join_next_with_id(),
            members: Plain(&mut self.members),
            keys: Plain(&mut self.keys),
        }
    }
}

impl<K: Clone + Eq + Hash, T> Default for JoinMap<K, T> {
    #[track_caller]
    fn default() -> JoinMap<K, T> {
        JoinMap::new()
    }
}

impl<K: fmt::Debug, T> fmt::Debug for JoinMap<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.members.keys()).finish()
    }
}

/// Waits for the next task of a map to end. Made by [`JoinMap::join_next`].
///
/// # Panics
/// When it is polled again after it returned `Ready`.
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct JoinNextKey<'a, K, T> {
    next: JoinNextWithId<'a, T>,
    members: Plain<&'a mut HashMap<K, u32>>,
    keys: Plain<&'a mut HashMap<u32, K>>,
}

impl<K: Eq + Hash, T> Future for JoinNextKey<'_, K, T> {
    type Output = Option<(K, Result<T, JoinError>)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let next = ready!(pinned_mut!(self.as_mut(), next).poll_keyed(cx));
            let Some((member, handle)) = next else {
                return Poll::Ready(None);
            };
            // One whose key another task has taken is not spoken of.
            if let Some(key) = pinned_mut!(self.as_mut(), keys).get().remove(&member) {
                pinned_mut!(self.as_mut(), members).get().remove(&key);
                return Poll::Ready(Some((key, result_of(handle).1)));
            }
            pinned_mut!(self.as_mut(), next).go_on();
        }
    }
}

impl<K, T> fmt::Debug for JoinNextKey<'_, K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinNextKey").field(&self.next).finish()
    }
}
