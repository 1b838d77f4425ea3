//! The figures of a channel.

/// What a channel is and was. Made by the `statistics` of either end.
///
/// ```
/// use mainspring::channel;
/// # mainspring::run(async {
/// let (sender, receiver) = channel::bounded(4);
/// sender.send('a').await.unwrap();
/// sender.send('b').await.unwrap();
/// receiver.recv().await.unwrap();
/// let now = sender.statistics();
/// assert_eq!((now.len, now.peak, now.sent), (1, 2, 2));
/// # }).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Statistics {
    /// How many items are in it.
    pub len: usize,
    /// The most that were ever in it.
    pub peak: usize,
    /// For how many there is room; `None` where there is no bound.
    pub capacity: Option<usize>,
    /// How many permits are out.
    pub permits: usize,
    /// How many senders there are. Weak ones do not count.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many wait for room.
    pub waiting_senders: usize,
    /// How many wait for an item.
    pub waiting_receivers: usize,
    /// How many items were sent in all.
    pub sent: u64,
    /// How many of them `task_done` was not called for.
    pub unfinished: u64,
}
