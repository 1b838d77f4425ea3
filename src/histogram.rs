//! `Histogram`: how often which length of time came up, to within three hundredths.
//!
//! *Role.* The loop keeps one for each length it measures, while timing is on; users read them by
//! `inspect::metrics`, and may keep their own.
//!
//! *Model.* Log-linear buckets. Up to 32 ns each nanosecond has its own; above, each doubling is cut into 32
//! buckets of equal width, so a bucket is at most 1/32 as wide as what it holds.
//!
//! ```text
//!   ns      0 1 2 … 31 │ 32 33 … 63 │ 64-65 … 126-127 │ 128-131 … 252-255 │ …
//!   bucket  0 1 2 … 31 │ 32 33 … 63 │ 64    …      95 │  96     …     127 │ …
//! ```
//!
//! *Cost.* To record is O(1): a few shifts and an add. Memory grows to the bucket of the longest time: 4 kB
//! for a millisecond, 8 kB for 18 minutes, 15 kB for everything.
//!
//! *Why not a mean.* A loop whose polls take 2 us, but one in ten thousand 50 ms, has a fine mean.

use std::fmt;
use std::time::Duration;

/// Each doubling is cut into 2 to this power buckets.
const CUT_BITS: u32 = 5;
const CUTS: u64 = 1 << CUT_BITS;

/// The quantiles that [`Histogram`]'s `Display` names.
const SHOWN: [(f64, &str); 3] = [(0.5, "p50"), (0.9, "p90"), (0.99, "p99")];

/// How often which length of time came up, to within three hundredths.
///
/// `Display` is one line; with `{:#}` a line for each bucket that holds anything.
///
/// ```
/// use mainspring::inspect::Histogram;
/// use std::time::Duration;
/// let mut histogram = Histogram::new();
/// for ms in 1..=100 {
///     histogram.record(Duration::from_millis(ms));
/// }
/// assert_eq!(histogram.count(), 100);
/// assert_eq!(histogram.max(), Some(Duration::from_millis(100)));
/// let median = histogram.quantile(0.5).unwrap();
/// assert!(median >= Duration::from_millis(50) && median < Duration::from_millis(52));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum_ns: u128,
    /// Both are those of an empty one while `count` is 0.
    min_ns: u64,
    max_ns: u64,
}

/// The bucket that `ns` belongs to.
#[inline]
fn bucket_of(ns: u64) -> usize {
    if ns < CUTS {
        return ns as usize;
    }
    let doubling = ns.ilog2() - CUT_BITS;
    // The top bit is implied by the doubling; the next bits are the cut.
    let cut = (ns >> doubling) - CUTS;
    ((u64::from(doubling) + 1) * CUTS + cut) as usize
}

/// The first and the last nanosecond of a bucket.
fn range_of(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    if bucket < CUTS {
        return (bucket, bucket);
    }
    let doubling = bucket / CUTS - 1;
    let first = (CUTS + bucket % CUTS) << doubling;
    (first, first + ((1 << doubling) - 1))
}

impl Histogram {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Histogram {
        Histogram {
            counts: Vec::new(),
            count: 0,
            sum_ns: 0,
            min_ns: 0,
            max_ns: 0,
        }
    }

    /// Counts `length` once more; what is above 584 years counts as that.
    pub fn record(&mut self, length: Duration) {
        self.record_ns(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX));
    }

    #[inline]
    pub(crate) fn record_ns(&mut self, ns: u64) {
        let bucket = bucket_of(ns);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.min_ns = if self.count == 0 {
            ns
        } else {
            self.min_ns.min(ns)
        };
        self.max_ns = self.max_ns.max(ns);
        self.sum_ns += u128::from(ns);
        self.count += 1;
    }

    /// How many lengths were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Whether nothing was recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The shortest, exactly; `None` if nothing was recorded.
    #[must_use]
    pub fn min(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.min_ns))
    }

    /// The longest, exactly; `None` if nothing was recorded.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (!self.is_empty()).then(|| Duration::from_nanos(self.max_ns))
    }

    /// The sum of all, exactly, cut at 584 years.
    #[must_use]
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(u64::try_from(self.sum_ns).unwrap_or(u64::MAX))
    }

    /// The mean; `None` if nothing was recorded.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum_ns.checked_div(u128::from(self.count))?;
        Some(Duration::from_nanos(mean as u64))
    }

    /// The length that the share `q` of all is no longer than, rounded up by at most 1/32; `None` if nothing
    /// was recorded. `q` is cut to between 0 and 1: 0.5 asks for the median, 1.0 for the longest.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        if self.is_empty() {
            return None;
        }
        // At least the first, at most the last.
        let rank = (q.clamp(0.0, 1.0) * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let last = range_of(bucket).1;
                return Some(Duration::from_nanos(last.min(self.max_ns)));
            }
        }
        self.max()
    }

    /// Adds all that `other` has.
    pub fn merge(&mut self, other: &Histogram) {
        if other.is_empty() {
            return;
        }
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.min_ns = if self.is_empty() {
            other.min_ns
        } else {
            self.min_ns.min(other.min_ns)
        };
        self.max_ns = self.max_ns.max(other.max_ns);
        self.sum_ns += other.sum_ns;
        self.count += other.count;
    }

    /// The buckets that hold anything, shortest first: from, up to and with, how many.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, Duration, u64)> + '_ {
        let held = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        held.map(|(bucket, count)| {
            let (first, last) = range_of(bucket);
            (
                Duration::from_nanos(first),
                Duration::from_nanos(last),
                *count,
            )
        })
    }
}

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(min), Some(max)) = (self.min(), self.max()) else {
            return f.write_str("nothing recorded");
        };
        write!(f, "{} times, {:?} to {:?}", self.count, min, max)?;
        for (q, name) in SHOWN {
            if let Some(length) = self.quantile(q) {
                write!(f, ", {name} {length:?}")?;
            }
        }
        if !f.alternate() {
            return Ok(());
        }
        let most = self.counts.iter().max().copied().unwrap_or(1);
        for (first, last, count) in self.buckets() {
            // The longest bar has 40 signs; a bucket that holds anything has one.
            let bar = "#".repeat((count * 40).div_ceil(most) as usize);
            let range = format!("{first:?} to {last:?}");
            write!(f, "\n{range:>28} {count:>9} {bar}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another_without_gap_up_to_the_last_nanosecond() {
        let mut next = 0;
        for bucket in 0..=bucket_of(u64::MAX) {
            let (first, last) = range_of(bucket);
            assert_eq!(first, next, "bucket {bucket}");
            assert_eq!((bucket_of(first), bucket_of(last)), (bucket, bucket));
            assert!(last - first <= first / 32, "bucket {bucket} is too wide");
            next = last.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with u64::MAX");
        assert_eq!(bucket_of(u64::MAX), 1919);
    }

    #[test]
    fn an_empty_histogram_has_no_extremes_and_says_so() {
        let empty = Histogram::new();
        assert_eq!((empty.min(), empty.max(), empty.mean()), (None, None, None));
        assert_eq!(empty.quantile(0.5), None);
        assert_eq!(empty.to_string(), "nothing recorded");
        let mut merged = Histogram::new();
        merged.merge(&empty);
        assert_eq!(merged, empty);
    }

    #[test]
    fn the_line_names_ends_and_quantiles_and_the_long_form_has_bars() {
        let mut histogram = Histogram::new();
        for ns in [1, 2, 2, 30] {
            histogram.record(Duration::from_nanos(ns));
        }
        let line = "4 times, 1ns to 30ns, p50 2ns, p90 30ns, p99 30ns";
        assert_eq!(histogram.to_string(), line);
        let long = format!("{histogram:#}");
        assert!(long.starts_with(line));
        assert_eq!(long.lines().count(), 4);
        assert!(
            long.contains(&format!("2ns to 2ns         2 {}", "#".repeat(40))),
            "{long}"
        );
    }
}
