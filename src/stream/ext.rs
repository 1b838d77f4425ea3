//! `StreamExt`: what every stream can do.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use super::Stream;
use super::each::{Enumerate, Filter, FilterMap, Inspect, Map, Scan, Then};
use super::ends::{All, Any, Collect, Count, Fold, ForEach, Next, TryCollect, TryNext};
use super::several::{Chain, Chunks, Flatten, Merge, Zip};
use super::span::{Fuse, Peekable, Skip, SkipWhile, Take, TakeWhile};
use super::timed::{ChunksTimeout, Throttle, Timeout};
use crate::pin::Plain;
use crate::task::caller::Caller;

/// The methods of every [`Stream`].
///
/// *Adapters* (`map` to `chunks_timeout`) take the stream and are streams. They do nothing until they are
/// polled, and take an item from the stream below only when they are asked for one. Where one keeps an
/// item meanwhile, its page says what is lost when it is dropped; dropping a [`next`](StreamExt::next)
/// never loses anything.
///
/// *Ends* (`next` to `try_collect`) are futures. Those that take the stream also take it by `&mut`:
/// `(&mut stream).count()`, or [`by_ref`](StreamExt::by_ref).
pub trait StreamExt: Stream {
    /// Waits for the next item; `None` at the end.
    ///
    /// # Cancel safety
    /// Safe: an item is taken only in the poll that returns it.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut numbers = stream::iter([7]);
    /// assert_eq!(numbers.next().await, Some(7));
    /// assert_eq!(numbers.next().await, None);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn next(&mut self) -> Next<'_, Self>
    where
        Self: Unpin,
    {
        Next {
            stream: self,
            caller: Caller::here(),
        }
    }

    /// As [`next`](StreamExt::next), for a stream of results: `?` takes the error out.
    ///
    /// # Cancel safety
    /// Safe.
    ///
    /// # Errors
    /// The stream's next item, if it is one.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut results = stream::iter([Ok(7), Err("over")]);
    /// assert_eq!(results.try_next().await, Ok(Some(7)));
    /// assert_eq!(results.try_next().await, Err("over"));
    /// assert_eq!(results.try_next().await, Ok(None));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn try_next<T, E>(&mut self) -> TryNext<'_, Self>
    where
        Self: Stream<Item = Result<T, E>> + Unpin,
    {
        TryNext(self.next())
    }

    /// The stream itself, borrowed, where an adapter would take it.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut numbers = stream::iter(0..9);
    /// assert_eq!(numbers.by_ref().take(2).count().await, 2);
    /// assert_eq!(numbers.next().await, Some(2));
    /// # }).unwrap();
    /// ```
    fn by_ref(&mut self) -> &mut Self
    where
        Self: Sized + Unpin,
    {
        self
    }

    /// What a closure makes of each item.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let doubled = stream::iter([1, 2]).map(|n| n * 2);
    /// assert_eq!(doubled.collect::<Vec<_>>().await, [2, 4]);
    /// # }).unwrap();
    /// ```
    fn map<T, F>(self, f: F) -> Map<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> T,
    {
        Map {
            stream: self,
            f: Plain(f),
        }
    }

    /// The items of which a closure says yes.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let odd = stream::iter(0..6).filter(|n| n % 2 == 1);
    /// assert_eq!(odd.collect::<Vec<_>>().await, [1, 3, 5]);
    /// # }).unwrap();
    /// ```
    fn filter<F>(self, f: F) -> Filter<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        Filter {
            stream: self,
            f: Plain(f),
        }
    }

    /// What a closure makes of each item, without the `None`s.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let numbers = stream::iter(["1", "one"]).filter_map(|word| word.parse::<u8>().ok());
    /// assert_eq!(numbers.collect::<Vec<_>>().await, [1]);
    /// # }).unwrap();
    /// ```
    fn filter_map<T, F>(self, f: F) -> FilterMap<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> Option<T>,
    {
        FilterMap {
            stream: self,
            f: Plain(f),
        }
    }

    /// Shows each item to a closure as it passes.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut seen = Vec::new();
    /// assert_eq!(stream::iter([1, 2]).inspect(|n| seen.push(*n)).count().await, 2);
    /// assert_eq!(seen, [1, 2]);
    /// # }).unwrap();
    /// ```
    fn inspect<F>(self, f: F) -> Inspect<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item),
    {
        Inspect {
            stream: self,
            f: Plain(f),
        }
    }

    /// Each item with its number, counted from 0.
    ///
    /// # Panics
    /// The number is a `usize`; when it overflows, as integers do.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let letters = stream::iter("ab".chars()).enumerate();
    /// assert_eq!(letters.collect::<Vec<_>>().await, [(0, 'a'), (1, 'b')]);
    /// # }).unwrap();
    /// ```
    fn enumerate(self) -> Enumerate<Self>
    where
        Self: Sized,
    {
        Enumerate {
            stream: self,
            index: 0,
        }
    }

    /// What a closure makes of a state and each item; ends when it gives `None`.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let sums = stream::iter(1..).scan(0, |sum, n| {
    ///     *sum += n;
    ///     (*sum < 12).then_some(*sum)
    /// });
    /// assert_eq!(sums.collect::<Vec<_>>().await, [1, 3, 6, 10]);
    /// # }).unwrap();
    /// ```
    fn scan<A, T, F>(self, state: A, f: F) -> Scan<Self, A, F>
    where
        Self: Sized,
        F: FnMut(&mut A, Self::Item) -> Option<T>,
    {
        Scan {
            stream: self,
            step: Plain(Some((state, f))),
        }
    }

    /// What the future is that a closure makes of each item; one after the other.
    ///
    /// With an `async` block in it the stream must be pinned before `next`: `let mut s = pin!(…)`.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// use mainspring::time::sleep;
    /// use std::time::Duration;
    /// let slow = stream::iter([1, 2]).then(async |n| {
    ///     sleep(Duration::from_millis(n)).await;
    ///     n
    /// });
    /// assert_eq!(slow.collect::<Vec<_>>().await, [1, 2]);
    /// # }).unwrap();
    /// ```
    fn then<U, F>(self, f: F) -> Then<Self, F, U>
    where
        Self: Sized,
        U: Future,
        F: FnMut(Self::Item) -> U,
    {
        Then {
            stream: self,
            f: Plain(f),
            future: None,
        }
    }

    /// The first `count` items. After them the stream below is not asked any more.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert_eq!(stream::iter(0..).take(2).collect::<Vec<_>>().await, [0, 1]);
    /// # }).unwrap();
    /// ```
    fn take(self, count: usize) -> Take<Self>
    where
        Self: Sized,
    {
        Take {
            stream: self,
            left: count,
        }
    }

    /// The items before the first of which a closure says no; that one is lost.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let small = stream::iter([1, 2, 9, 1]).take_while(|n| *n < 5);
    /// assert_eq!(small.collect::<Vec<_>>().await, [1, 2]);
    /// # }).unwrap();
    /// ```
    fn take_while<F>(self, f: F) -> TakeWhile<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        TakeWhile {
            stream: self,
            f: Plain(f),
            is_over: false,
        }
    }

    /// Without the first `count` items.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert_eq!(stream::iter(0..4).skip(2).collect::<Vec<_>>().await, [2, 3]);
    /// # }).unwrap();
    /// ```
    fn skip(self, count: usize) -> Skip<Self>
    where
        Self: Sized,
    {
        Skip {
            stream: self,
            left: count,
        }
    }

    /// From the first item of which a closure says no.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let rest = stream::iter([1, 2, 9, 1]).skip_while(|n| *n < 5);
    /// assert_eq!(rest.collect::<Vec<_>>().await, [9, 1]);
    /// # }).unwrap();
    /// ```
    fn skip_while<F>(self, f: F) -> SkipWhile<Self, F>
    where
        Self: Sized,
        F: FnMut(&Self::Item) -> bool,
    {
        SkipWhile {
            stream: self,
            f: Plain(Some(f)),
        }
    }

    /// After its end it says `None` for ever, and what it held is dropped.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut once = stream::iter([1]).fuse();
    /// assert_eq!(once.next().await, Some(1));
    /// assert_eq!((once.next().await, once.next().await), (None, None));
    /// # }).unwrap();
    /// ```
    fn fuse(self) -> Fuse<Self>
    where
        Self: Sized,
    {
        Fuse::new(self)
    }

    /// With a [`peek`](Peekable::peek) at the next item.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut numbers = stream::iter([1]).peekable();
    /// assert_eq!(numbers.peek().await, Some(&mut 1));
    /// assert_eq!(numbers.next().await, Some(1));
    /// # }).unwrap();
    /// ```
    fn peekable(self) -> Peekable<Self>
    where
        Self: Sized,
    {
        Peekable::new(self)
    }

    /// First this stream, then the other.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let all = stream::iter([1]).chain(stream::once(2));
    /// assert_eq!(all.collect::<Vec<_>>().await, [1, 2]);
    /// # }).unwrap();
    /// ```
    fn chain<S>(self, other: S) -> Chain<Self, S>
    where
        Self: Sized,
        S: Stream<Item = Self::Item>,
    {
        Chain {
            first: Fuse::new(self),
            second: other,
        }
    }

    /// The items of both in pairs, until one ends.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let pairs = stream::iter([1, 2]).zip(stream::iter("ab".chars()));
    /// assert_eq!(pairs.collect::<Vec<_>>().await, [(1, 'a'), (2, 'b')]);
    /// # }).unwrap();
    /// ```
    fn zip<S>(self, other: S) -> Zip<Self, S>
    where
        Self: Sized,
        S: Stream,
    {
        Zip::new(self, other)
    }

    /// The items of both as they come, until both end. While both have items they take turns.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let both = stream::iter([1, 2]).merge(stream::iter([10, 20, 30]));
    /// assert_eq!(both.collect::<Vec<_>>().await, [1, 10, 2, 20, 30]);
    /// # }).unwrap();
    /// ```
    fn merge<S>(self, other: S) -> Merge<Self, S>
    where
        Self: Sized,
        S: Stream<Item = Self::Item>,
    {
        Merge::new(self, other)
    }

    /// The items of the streams that are its items, one stream after the other.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let nested = stream::iter([stream::iter(0..2), stream::iter(5..7)]);
    /// assert_eq!(nested.flatten().collect::<Vec<_>>().await, [0, 1, 5, 6]);
    /// # }).unwrap();
    /// ```
    fn flatten(self) -> Flatten<Self, Self::Item>
    where
        Self: Sized,
        Self::Item: Stream,
    {
        Flatten {
            outer: self,
            inner: None,
        }
    }

    /// The items of the streams that a closure makes of its items.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let grown = stream::iter([1, 2]).flat_map(|n| stream::repeat(n).take(n));
    /// assert_eq!(grown.collect::<Vec<_>>().await, [1, 2, 2]);
    /// # }).unwrap();
    /// ```
    fn flat_map<S, F>(self, f: F) -> Flatten<Map<Self, F>, S>
    where
        Self: Sized,
        S: Stream,
        F: FnMut(Self::Item) -> S,
    {
        self.map(f).flatten()
    }

    /// The items in groups of `size`; the last one may be smaller.
    ///
    /// # Panics
    /// If `size` is 0.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let pairs = stream::iter(0..5).chunks(2);
    /// assert_eq!(pairs.collect::<Vec<_>>().await, [vec![0, 1], vec![2, 3], vec![4]]);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn chunks(self, size: usize) -> Chunks<Self>
    where
        Self: Sized,
    {
        assert!(size > 0, "a chunk needs a size larger than zero");
        Chunks::new(self, size)
    }

    /// The items in groups of `size`, or of what has come when `limit` has passed since a group began to wait for
    /// more. The time is that of [`sleep`](crate::time::sleep()), which is in here, so `next` needs a `pin!`.
    ///
    /// # Panics
    /// If `size` is 0; when it waits where no loop runs.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// use std::{pin::pin, time::Duration};
    /// let endless = stream::iter([1, 2, 3]).chain(stream::pending());
    /// let mut pairs = pin!(endless.chunks_timeout(2, Duration::from_millis(1)));
    /// assert_eq!(pairs.next().await, Some(vec![1, 2]));
    /// assert_eq!(pairs.next().await, Some(vec![3]));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn chunks_timeout(self, size: usize, limit: Duration) -> ChunksTimeout<Self>
    where
        Self: Sized,
    {
        ChunksTimeout::new(self.chunks(size), limit, Location::caller())
    }

    /// Each item has `limit` to come, or an error comes in its place; the stream goes on, and the time begins anew.
    ///
    /// The time runs from the first poll that waits for the item, as that of [`sleep`](crate::time::sleep())
    /// does; the sleep is in here, so `next` needs a `pin!`. Dropping a [`next`](StreamExt::next) does not stop it: in a loop over several things it is the time
    /// since the last item was taken and the next one asked for.
    ///
    /// # Panics
    /// When it waits where no loop runs.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// use std::{pin::pin, time::Duration};
    /// let late = stream::once(1).chain(stream::pending());
    /// let mut late = pin!(late.timeout(Duration::from_millis(1)));
    /// assert_eq!(late.next().await, Some(Ok(1)));
    /// assert!(late.next().await.unwrap().is_err());
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn timeout(self, limit: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        Timeout::new(self, limit, Location::caller())
    }

    /// Waits after each item until `pause` has passed since it was given, and only then asks for the next: no item
    /// waits in here. The sleep does, so `next` needs a `pin!`.
    ///
    /// # Panics
    /// When it waits where no loop runs.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// use mainspring::time::now;
    /// use std::time::Duration;
    /// let start = now();
    /// let slow = stream::iter(0..3).throttle(Duration::from_millis(2));
    /// assert_eq!(slow.count().await, 3);
    /// assert!(now() - start >= Duration::from_millis(4));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn throttle(self, pause: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, pause, Location::caller())
    }

    /// Folds the items into one value.
    ///
    /// # Cancel safety
    /// Not safe, because the value so far is dropped.
    ///
    /// # Panics
    /// When it is polled after it was ready, or after the closure panicked.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert_eq!(stream::iter(1..=4).fold(0, |sum, n| sum + n).await, 10);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn fold<A, F>(self, first: A, f: F) -> Fold<Self, A, F>
    where
        Self: Sized,
        F: FnMut(A, Self::Item) -> A,
    {
        Fold {
            stream: self,
            state: Plain((Some(first), f)),
            caller: Caller::here(),
        }
    }

    /// Calls a closure with each item, to the end.
    ///
    /// # Cancel safety
    /// Safe, if the stream is given by `&mut`: each item that was taken was given to the closure.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let mut sum = 0;
    /// stream::iter(1..=4).for_each(|n| sum += n).await;
    /// assert_eq!(sum, 10);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn for_each<F>(self, f: F) -> ForEach<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item),
    {
        ForEach {
            stream: self,
            state: Plain(f),
            caller: Caller::here(),
        }
    }

    /// Whether a closure says yes of an item; no further item is taken after that.
    ///
    /// # Cancel safety
    /// Safe, if the stream is given by `&mut`: of each item that was taken the closure said no.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert!(stream::iter(1..).any(|n| n > 4).await);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn any<F>(self, f: F) -> Any<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> bool,
    {
        Any {
            stream: self,
            state: Plain(f),
            caller: Caller::here(),
        }
    }

    /// Whether a closure says yes of every item; no further item is taken after a no.
    ///
    /// # Cancel safety
    /// Safe, if the stream is given by `&mut`: of each item that was taken the closure said yes.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert!(!stream::iter(1..).all(|n| n < 4).await);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn all<F>(self, f: F) -> All<Self, F>
    where
        Self: Sized,
        F: FnMut(Self::Item) -> bool,
    {
        All {
            stream: self,
            state: Plain(f),
            caller: Caller::here(),
        }
    }

    /// How many items come, to the end.
    ///
    /// # Cancel safety
    /// Not safe, because the count so far is dropped.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert_eq!(stream::iter("abc".chars()).count().await, 3);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn count(self) -> Count<Self>
    where
        Self: Sized,
    {
        Count {
            stream: self,
            state: Plain(0),
            caller: Caller::here(),
        }
    }

    /// Gathers the items in a collection: a `Vec`, a map, a `String`, a pair of collections.
    ///
    /// # Cancel safety
    /// Not safe, because the collection so far is dropped.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// assert_eq!(stream::iter("ab".chars()).collect::<String>().await, "ab");
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn collect<C>(self) -> Collect<Self, C>
    where
        Self: Sized,
        C: Default + Extend<Self::Item>,
    {
        Collect {
            stream: self,
            state: Plain(C::default()),
            caller: Caller::here(),
        }
    }

    /// Gathers the items of a stream of results, up to the first error.
    ///
    /// # Cancel safety
    /// Not safe, because the collection so far is dropped.
    ///
    /// # Errors
    /// The first that comes; what was gathered before it is dropped, and nothing is taken after it.
    ///
    /// ```
    /// use mainspring::stream::{self, StreamExt};
    /// # mainspring::run(async {
    /// let results = stream::iter([Ok(1), Err("two"), Ok(3)]);
    /// assert_eq!(results.try_collect::<_, _, Vec<_>>().await, Err("two"));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    fn try_collect<T, E, C>(self) -> TryCollect<Self, C>
    where
        Self: Stream<Item = Result<T, E>> + Sized,
        C: Default + Extend<T>,
    {
        TryCollect {
            stream: self,
            state: Plain(C::default()),
            caller: Caller::here(),
        }
    }
}

impl<S: Stream + ?Sized> StreamExt for S {}
