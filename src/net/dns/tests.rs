//! Tests of what a resolver decides before it asks anybody.

use super::*;

fn config(text: &str) -> DnsConfig {
    DnsConfig::parse(text.as_bytes())
}

#[test]
fn a_name_is_tried_as_it_stands_or_below_the_search_list_by_its_dots() {
    let search = "search a.example b.example\n";
    let rows: [(&str, &str, &[&str]); 8] = [
        ("", "host", &["host"]),
        (
            search,
            "host",
            &["host.a.example", "host.b.example", "host"],
        ),
        (search, "host.", &["host"]),
        (
            search,
            "www.host",
            &["www.host", "www.host.a.example", "www.host.b.example"],
        ),
        (
            "search a.example\noptions ndots:2",
            "www.host",
            &["www.host.a.example", "www.host"],
        ),
        (
            "search a.example\noptions ndots:0",
            "host",
            &["host", "host.a.example"],
        ),
        ("search . a.example", "host", &["host.a.example", "host"]),
        ("search a.example\noptions ndots:9", "a.b.c.", &["a.b.c"]),
    ];
    for (text, host, expected) in rows {
        let name = host.parse().unwrap();
        let found = candidates(&name, host.ends_with('.'), &config(text));
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected, "{text:?} {host}");
    }
}

#[test]
fn a_candidate_that_is_too_long_is_left_out() {
    let long = format!("search {0}.{0}.{0}", "a".repeat(63));
    let host: Name = format!("{}.b", "b".repeat(62)).parse().unwrap();
    assert_eq!(candidates(&host, false, &config(&long)), [host]);
}

#[test]
fn ids_are_many_and_differ_between_resolvers() {
    let (one, other) = (Ids::default(), Ids::default());
    let draw = |ids: &Ids| (0..1000).map(|_| ids.next()).collect::<Vec<u16>>();
    let (one, other) = (draw(&one), draw(&other));
    assert_ne!(one, other);
    let steps = one.windows(2).map(|two| two[1].wrapping_sub(two[0]));
    let distinct: std::collections::HashSet<u16> = steps.collect();
    // A counter would have one step, a bad mixture few.
    assert!(distinct.len() > 900, "{}", distinct.len());
}
