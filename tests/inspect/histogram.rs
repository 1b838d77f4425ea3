//! `Histogram` beside a sorted vector.

use std::time::Duration;

use mainspring::inspect::Histogram;
use proptest::prelude::*;

/// Lengths of every order of magnitude.
fn lengths() -> impl Strategy<Value = Vec<u64>> {
    let length = (0_u32..64, any::<u64>()).prop_map(|(bits, ns)| ns >> bits);
    proptest::collection::vec(length, 0..200)
}

fn recorded(lengths: &[u64]) -> Histogram {
    let mut histogram = Histogram::new();
    for ns in lengths {
        histogram.record(Duration::from_nanos(*ns));
    }
    histogram
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn quantiles_are_those_of_the_sorted_lengths_rounded_up_by_a_32nd(
        mut lengths in lengths(),
        q in 0.0_f64..=1.0,
    ) {
        let histogram = recorded(&lengths);
        lengths.sort_unstable();
        prop_assert_eq!(histogram.count(), lengths.len() as u64);
        prop_assert_eq!(histogram.min().map(|d| d.as_nanos() as u64), lengths.first().copied());
        prop_assert_eq!(histogram.max().map(|d| d.as_nanos() as u64), lengths.last().copied());
        let rank = ((q * lengths.len() as f64).ceil() as usize).max(1);
        let Some(exact) = lengths.get(rank - 1).copied() else {
            prop_assert_eq!(histogram.quantile(q), None);
            return Ok(());
        };
        let told = histogram.quantile(q).unwrap().as_nanos() as u64;
        prop_assert!(told >= exact && told - exact <= exact / 32, "{} for {}", told, exact);
        let held: u64 = histogram.buckets().map(|(_, _, count)| count).sum();
        prop_assert_eq!(held, lengths.len() as u64);
    }

    #[test]
    fn two_merged_are_as_one_that_recorded_all(one in lengths(), other in lengths()) {
        let mut merged = recorded(&one);
        merged.merge(&recorded(&other));
        let all: Vec<u64> = one.iter().chain(&other).copied().collect();
        prop_assert_eq!(merged, recorded(&all));
    }
}
