//! Promises, hazards and the steps of a tick: what is claimed in words has a test by its name.

use std::collections::BTreeMap;

use crate::source::Source;
use crate::tree::{Complaint, Page};

/// Hazards that a sentence may cover instead of a test.
const SENTENCES_MAX: usize = 12;
/// The ids of the list, group by group: `a01` to `a34`, and so on.
const GROUPS: [(char, usize); 10] = [
    ('a', 34),
    ('b', 17),
    ('c', 28),
    ('d', 19),
    ('e', 15),
    ('f', 7),
    ('g', 10),
    ('h', 13),
    ('i', 6),
    ('j', 3),
];
/// The steps of a tick.
const STEPS: usize = 4;

/// A test by its name, and where it stands.
#[derive(Debug)]
struct Test<'a> {
    path: &'a str,
    line: usize,
    name: String,
}

/// Every test, and every function that test code names after a claim (a suite that a macro
/// instantiates for several backends has no `#[test]` of its own).
fn tests(sources: &[Source]) -> Vec<Test<'_>> {
    let mut tests = Vec::new();
    for source in sources {
        for function in source.functions() {
            let is_claim = function.is_test && !claims(&function.name).is_empty();
            if function.has_test_attribute || is_claim {
                let (line, name) = (function.line, function.name);
                tests.push(Test {
                    path: &source.path,
                    line,
                    name,
                });
            }
        }
    }
    tests
}

/// The ids that a name begins with: `p03_p04_hz_a01_order_holds` claims P3, P4 and `hz_a01`.
fn claims(name: &str) -> Vec<String> {
    let parts: Vec<&str> = name.split('_').collect();
    let mut rest = parts.as_slice();
    let mut claims = Vec::new();
    loop {
        match rest {
            [promise, after @ ..] if is_numbered(promise, 'p') => {
                claims.push((*promise).to_string());
                rest = after;
            }
            ["hz", id, after @ ..] => {
                claims.push(format!("hz_{id}"));
                rest = after;
            }
            _ => return claims,
        }
    }
}

/// Whether `part` is `letter` and two digits.
fn is_numbered(part: &str, letter: char) -> bool {
    let digits = part.strip_prefix(letter).unwrap_or("");
    digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// The ids `hz_…` in a line of prose.
fn hazards_in(line: &str) -> Vec<String> {
    line.match_indices("hz_")
        .map(|(at, _)| {
            let rest = &line[at + 3..];
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            format!("hz_{}", &rest[..end])
        })
        .collect()
}

/// The promises of the page (`**P3` or `### P3` at the head of a line) as `p03`, with their lines.
fn promises(page: &Page) -> BTreeMap<String, usize> {
    let mut promises = BTreeMap::new();
    for (number, line) in page.lines() {
        let text = line.trim_start_matches([' ', '-', '*', '#', '|']);
        let is_marked = text.len() < line.len() && !line.trim_start().starts_with("P");
        let digits = text.strip_prefix('P').unwrap_or("");
        let end = digits
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(digits.len());
        if let (true, Ok(promise)) = (is_marked, digits[..end].parse::<usize>()) {
            promises.entry(format!("p{promise:02}")).or_insert(number);
        }
    }
    promises
}

/// Every promise has a test, every test that names a promise has one.
pub(crate) fn promises_and_tests(sources: &[Source], page: &Page) -> Vec<Complaint> {
    let (promises, tests) = (promises(page), tests(sources));
    let mut complaints = Vec::new();
    for (promise, line) in &promises {
        let is_tested = tests.iter().any(|test| {
            let mut parts = test.name.split('_');
            parts.any(|part| part == promise)
        });
        if !is_tested {
            let advice = format!("no test has `{promise}_` in its name: write it");
            complaints.push(Complaint::new(&page.path, *line, advice));
        }
    }
    for test in &tests {
        for claim in claims(&test.name)
            .iter()
            .filter(|claim| !claim.starts_with("hz_"))
        {
            if !promises.contains_key(claim) {
                let advice = format!("`{}`: {} has no promise {claim}", test.name, page.path);
                complaints.push(Complaint::new(test.path, test.line, advice));
            }
        }
    }
    complaints
}

/// The ids of docs/hazards.txt, with their lines.
fn listed(list: &Page) -> Vec<(usize, &str)> {
    let lines = list.lines().filter(|(_, line)| line.starts_with("hz_"));
    lines
        .map(|(number, line)| (number, line.split(' ').next().unwrap_or("")))
        .collect()
}

/// A test that names a hazard names one of the list.
pub(crate) fn hazard_names(sources: &[Source], list: &Page) -> Vec<Complaint> {
    let listed = listed(list);
    let mut complaints = Vec::new();
    for test in tests(sources) {
        for id in hazards_in(&test.name) {
            if !listed.iter().any(|(_, known)| *known == id) {
                let advice = format!("`{}`: {} has no `{id}`", test.name, list.path);
                complaints.push(Complaint::new(test.path, test.line, advice));
            }
        }
    }
    complaints
}

/// The list holds every id once, in order, each with a title.
pub(crate) fn hazard_list(list: &Page) -> Vec<Complaint> {
    let wanted: Vec<String> = GROUPS
        .iter()
        .flat_map(|(group, count)| (1..=*count).map(move |id| format!("hz_{group}{id:02}")))
        .collect();
    let listed = listed(list);
    let mut complaints = Vec::new();
    if let Some(index) = (0..wanted.len())
        .find(|index| listed.get(*index).map(|(_, id)| *id) != Some(&wanted[*index]))
    {
        let line = listed.get(index).map_or(1, |(line, _)| *line);
        let advice = format!(
            "`{}` belongs here: ids are neither dropped nor moved",
            wanted[index]
        );
        complaints.push(Complaint::new(&list.path, line, advice));
    }
    if let Some((line, id)) = listed.get(wanted.len()) {
        let advice = format!("`{id}` is new: count it in tests/tidy/promises.rs");
        complaints.push(Complaint::new(&list.path, *line, advice));
    }
    for (number, line) in list.lines().filter(|(_, line)| line.starts_with("hz_")) {
        if line.split_whitespace().count() < 3 {
            complaints.push(Complaint::new(
                &list.path,
                number,
                "give it a title of a few words",
            ));
        }
    }
    complaints
}

/// Few hazards are covered by a sentence, and the ids exist.
pub(crate) fn by_construction(page: &Page, list: &Page) -> Vec<Complaint> {
    let listed = listed(list);
    let mut complaints = Vec::new();
    let mut covered = Vec::new();
    for (number, line) in page.lines() {
        let text = line.trim_start_matches([' ', '-', '*', '>', '_']);
        if !text.starts_with("By construction") {
            continue;
        }
        for id in hazards_in(text) {
            if !listed.iter().any(|(_, known)| *known == id) {
                let advice = format!("{} has no `{id}`", list.path);
                complaints.push(Complaint::new(&page.path, number, advice));
            }
            covered.push((number, id));
        }
    }
    covered.dedup_by(|a, b| a.1 == b.1);
    if let Some((line, id)) = covered.get(SENTENCES_MAX) {
        let advice = format!(
            "`{id}` is one too many: {SENTENCES_MAX} hazards by a sentence, the others by a test"
        );
        complaints.push(Complaint::new(&page.path, *line, advice));
    }
    complaints
}

/// tests/tick_order.rs has a test for each step.
pub(crate) fn tick_steps_are_tested(page: &Page) -> Vec<Complaint> {
    let source = Source::new(&page.path, &page.text);
    let functions = source.functions();
    let is_tested = |step: usize| {
        let name = format!("step_{step}_");
        functions
            .iter()
            .any(|f| f.has_test_attribute && format!("{}_", f.name).contains(&name))
    };
    (1..=STEPS)
        .filter(|step| !is_tested(*step))
        .map(|step| {
            Complaint::new(
                &page.path,
                1,
                format!("no test has `step_{step}` in its name"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::page;

    #[test]
    fn a_promise_without_a_test_goes_red_and_the_reverse() {
        let sources = [Source::new(
            "tests/promises.rs",
            "#[test]\nfn p01_p02_order() {}\nfn p04_generic<B>() {}\nfn helper_p09_x() {}",
        )];
        let promises = page(
            "docs/promises.md",
            "# P\n\n**P1** a\n\n### P2 b\n\n- **P3.** c\n\nP9 no",
        );
        let found = promises_and_tests(&sources, &promises);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("docs/promises.md:7: no test has `p03_`"));
        assert!(found[1].starts_with("tests/promises.rs:3: `p04_generic`"));
    }

    #[test]
    fn a_test_for_an_unknown_hazard_goes_red() {
        let list = page("docs/hazards.txt", "hz_a01 Wake after completion\n");
        let text = "#[test]\nfn hz_a01_ok() {}\n#[test]\nfn p01_and_hz_a99_not() {}\nfn hz_z01_in_macro() {}";
        let sources = [Source::new("tests/a.rs", text)];
        assert_eq!(hazard_names(&sources, &list).len(), 2);
    }

    #[test]
    fn a_hazard_that_disappears_goes_red() {
        let whole = &GROUPS
            .iter()
            .flat_map(|(group, count)| {
                (1..=*count).map(move |id| format!("hz_{group}{id:02} a b\n"))
            })
            .collect::<String>();
        assert!(hazard_list(&page("docs/hazards.txt", whole)).is_empty());
        let without = whole.replace("hz_c07 a b\n", "");
        assert_eq!(hazard_list(&page("docs/hazards.txt", &without)).len(), 1);
        let more = format!("{whole}hz_j04 a b\n");
        assert_eq!(hazard_list(&page("docs/hazards.txt", &more)).len(), 1);
    }

    #[test]
    fn too_many_sentences_go_red() {
        let list: String = (1..=13).map(|id| format!("hz_a{id:02} a b\n")).collect();
        let list = page("docs/hazards.txt", &list);
        let sentences = |count: usize| -> String {
            (1..=count)
                .map(|id| format!("By construction: hz_a{id:02}, for it is so.\n"))
                .collect()
        };
        assert!(by_construction(&page("docs/promises.md", &sentences(12)), &list).is_empty());
        assert_eq!(
            by_construction(&page("docs/promises.md", &sentences(13)), &list).len(),
            1
        );
        let unknown = page("docs/promises.md", "By construction: hz_q01 cannot be.");
        assert_eq!(by_construction(&unknown, &list).len(), 1);
    }

    #[test]
    fn a_step_without_a_test_goes_red() {
        let text = "#[test]\nfn step_1_a() {}\n#[test]\nfn b_step_2() {}\n#[test]\nfn step_3() {}\nfn step_4() {}";
        assert_eq!(
            tick_steps_are_tested(&page("tests/tick_order.rs", text)).len(),
            1
        );
    }
}
