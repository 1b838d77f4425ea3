//! Features: what the page says to be there is shown by tests that exist.

use std::collections::BTreeSet;

use crate::source::{Source, Token};
use crate::tree::{Complaint, Page};

/// The macros that make tests of the names they list.
const LISTS: [&str; 3] = ["on_both", "everywhere", "suite"];

/// How many rows each letter has.
const COUNTS: [(char, usize); 16] = [
    ('A', 24),
    ('B', 26),
    ('C', 21),
    ('D', 16),
    ('E', 35),
    ('F', 19),
    ('G', 9),
    ('H', 17),
    ('I', 8),
    ('J', 19),
    ('K', 6),
    ('L', 23),
    ('M', 8),
    ('N', 12),
    ('O', 12),
    ('P', 12),
];

/// A row of the page, cell by cell.
struct Row<'a> {
    line: usize,
    letter: char,
    number: usize,
    sign: char,
    /// What stands behind the sign.
    words: &'a str,
    tests: Vec<&'a str>,
}

/// `F12` as its letter and its number, which is not written `F012`.
fn id(cell: &str) -> Option<(char, usize)> {
    let letter = cell.chars().next().filter(char::is_ascii_uppercase)?;
    let number = cell[1..].parse().ok()?;
    (cell[1..] == format!("{number}")).then_some((letter, number))
}

/// The rows of the tables of features: those that begin with an id.
fn rows(page: &Page) -> Vec<Result<Row<'_>, Complaint>> {
    let mut rows = Vec::new();
    for (line, text) in page.lines() {
        let cells = text.trim().strip_prefix('|');
        let cells = cells.and_then(|cells| cells.strip_suffix('|'));
        let Some(cells) = cells else { continue };
        let cells: Vec<&str> = cells.split('|').map(str::trim).collect();
        let Some((letter, number)) = id(cells[0]) else {
            continue;
        };
        let [_, capability, state, _, shown_by] = cells[..] else {
            let advice = format!("five cells: id, capability, {COLUMNS}");
            rows.push(Err(Complaint::new(&page.path, line, advice)));
            continue;
        };
        if capability.is_empty() {
            let advice = "say in a few words which capability it is";
            rows.push(Err(Complaint::new(&page.path, line, advice)));
        }
        let sign = state.chars().next().unwrap_or(' ');
        rows.push(Ok(Row {
            line,
            letter,
            number,
            sign,
            words: state[sign.len_utf8().min(state.len())..].trim(),
            tests: shown_by.split('`').skip(1).step_by(2).collect(),
        }));
    }
    rows
}

/// The last three columns.
const COLUMNS: &str = "our sign, who else has it, the tests that show it";

/// Every test of the tree as `path::name`: a function with `#[test]`, or one that a macro of [`LISTS`] names.
fn tests(sources: &[Source]) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for source in sources {
        let functions = source.functions().into_iter();
        let marked = functions.filter(|function| function.has_test_attribute);
        let names = marked.map(|function| function.name);
        let names = names.chain(listed(&source.tokens()));
        tests.extend(names.map(|name| format!("{}::{name}", source.path)));
    }
    tests
}

/// The names in `on_both! { a, b::c, }` and its like: what stands before a comma.
fn listed(tokens: &[Token<'_>]) -> Vec<String> {
    let mut names = Vec::new();
    for (index, three) in tokens.windows(3).enumerate() {
        let is_list =
            LISTS.contains(&three[0].text) && three[1].text == "!" && three[2].text == "{";
        // `macro_rules! on_both {` defines it.
        if !is_list {
            continue;
        }
        let inside = tokens[index + 3..].iter();
        let inside: Vec<&Token<'_>> = inside.take_while(|token| token.text != "}").collect();
        for pair in inside.windows(2) {
            if pair[0].is_word() && pair[1].text == "," {
                names.push(pair[0].text.to_string());
            }
        }
    }
    names
}

/// Each row has its place, one of the four signs, the words that the sign asks for, and tests that exist
/// where it claims anything.
pub(crate) fn rows_are_shown(sources: &[Source], page: &Page) -> Vec<Complaint> {
    let tests = tests(sources);
    let mut complaints = Vec::new();
    let mut before = None;
    for row in rows(page) {
        let row = match row {
            Ok(row) => row,
            Err(complaint) => {
                complaints.push(complaint);
                continue;
            }
        };
        let mut complain = |advice: String| {
            let advice = format!("{}{}: {advice}", row.letter, row.number);
            complaints.push(Complaint::new(&page.path, row.line, advice));
        };
        if !follows(before, (row.letter, row.number)) {
            complain("ids go A1, A2, … B1, without gaps, and each comes once".to_string());
        }
        before = Some((row.letter, row.number));
        match row.sign {
            '✔' | '◐' if row.tests.is_empty() => {
                complain("name a test that shows it".to_string())
            }
            '—' | '✘' if !row.tests.is_empty() => {
                complain("nothing is there to test".to_string())
            }
            '◐' if row.words.is_empty() => complain("say what is missing".to_string()),
            '✘' if row.words.is_empty() => complain("say why never".to_string()),
            '—' if !row.words.is_empty() => {
                complain("a bare — : it is not there yet".to_string())
            }
            '✔' | '◐' | '—' | '✘' => {}
            sign => complain(format!("`{sign}` is none of ✔ ◐ — ✘")),
        }
        for test in row.tests.iter().filter(|test| !tests.contains(**test)) {
            complain(format!("there is no test `{test}`"));
        }
    }
    if before.is_none() {
        let advice = "has no row that begins with an id";
        complaints.push(Complaint::new(&page.path, 1, advice));
    }
    complaints
}

/// The page has all its rows: what is not wanted any more is `✘`, with its reason.
pub(crate) fn rows_are_all_there(page: &Page) -> Vec<Complaint> {
    let rows = rows(page);
    let count_of = |letter| {
        let has_it =
            |row: &&Result<Row<'_>, Complaint>| matches!(row, Ok(row) if row.letter == letter);
        rows.iter().filter(has_it).count()
    };
    let complain = |(letter, wanted): (char, usize)| {
        let count = count_of(letter);
        let advice = format!(
            "{letter} has {count} rows and not {wanted}: rows are not dropped; count a new one in \
             tests/tidy/features.rs"
        );
        (count != wanted).then(|| Complaint::new(&page.path, 1, advice))
    };
    COUNTS.into_iter().filter_map(complain).collect()
}

/// Whether the id is the one that comes after: the next number, or the next letter's first.
fn follows(before: Option<(char, usize)>, (letter, number): (char, usize)) -> bool {
    match before {
        None => (letter, number) == ('A', 1),
        Some((last, count)) if last == letter => number == count + 1,
        Some((last, _)) => letter as u32 == last as u32 + 1 && number == 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::page;

    const TEXT: &str = "on_both! {\n a_listed,\n}\nfn a_listed(on: On) {}\nfn helper() {}\n\
        #[test]\nfn marked() {}\nsuite! { @claims $b; claims::of_another_file, }\n\
        macro_rules! on_both { ($($test:ident,)*) => {}; }\nlet x = f(helper, 1);";

    /// What is said about these rows.
    fn complaints(rows: &[&str]) -> Vec<String> {
        let sources = [Source::new("tests/a.rs", TEXT)];
        let found = rows_are_shown(&sources, &page("docs/features.md", &rows.join("\n")));
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_page_whose_claims_are_shown_is_left_alone() {
        let found = complaints(&[
            "| # | capability | mainspring | also in | shown by |",
            "|---|---|---|---|---|",
            "| A1 | run | ✔ | tokio | `tests/a.rs::marked`, `tests/a.rs::a_listed` |",
            "| A2 | stop | ◐ not yet `stop` | | `tests/a.rs::of_another_file` |",
            "| B1 | fork | ✘ no | trio | |",
            "| B2 | spoon | — | | |",
            "| ✔ | a legend |",
        ]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_claim_without_a_test_that_exists_goes_red() {
        for shown_by in [
            "",
            "tests/a.rs::marked",
            "`tests/a.rs::helper`",
            "`tests/b.rs::marked`",
            "`tests/a.rs::mark`",
            "`tests/a.rs::claims`",
            "`marked`",
            "`tests/a.rs::marked` `tests/a.rs::gone`",
        ] {
            for sign in ["✔", "◐ half"] {
                let row = format!("| A1 | run | {sign} | | {shown_by} |");
                assert_eq!(complaints(&[&row]).len(), 1, "{row}");
            }
        }
    }

    #[test]
    fn a_sign_without_its_words_or_with_too_many_goes_red() {
        for row in [
            "| A1 | run | ◐ | | `tests/a.rs::marked` |",
            "| A1 | run | ✘ | | |",
            "| A1 | run | ✘ never | | `tests/a.rs::marked` |",
            "| A1 | run | — | | `tests/a.rs::marked` |",
            "| A1 | run | — soon | | |",
            "| A1 | run | ✓ | | `tests/a.rs::marked` |",
            "| A1 | run | yes | | `tests/a.rs::marked` |",
            "| A1 | run | | | |",
            "| A1 |  | — | | |",
        ] {
            assert_eq!(complaints(&[row]).len(), 1, "{row}");
        }
    }

    #[test]
    fn an_id_that_is_missing_or_comes_again_goes_red() {
        let bare = |ids: &[&str]| {
            let rows: Vec<String> = ids
                .iter()
                .map(|id| format!("| {id} | x | — | | |"))
                .collect();
            complaints(&rows.iter().map(String::as_str).collect::<Vec<_>>()).len()
        };
        assert_eq!(bare(&["A1", "A2", "B1", "C1", "C2"]), 0);
        for ids in [
            &["A2"][..],
            &["B1"],
            &["A1", "A3"],
            &["A1", "A1"],
            &["A1", "C1"],
            &["A1", "B2"],
            &[],
        ] {
            assert_eq!(bare(ids), 1, "{ids:?}");
        }
        assert_eq!(bare(&["A2", "A1", "A3"]), 3);
    }

    #[test]
    fn a_row_that_was_dropped_goes_red() {
        let whole: Vec<String> = COUNTS
            .iter()
            .flat_map(|(letter, count)| {
                (1..=*count).map(move |n| format!("| {letter}{n} | x | — | | |"))
            })
            .collect();
        let missing =
            |rows: &[String]| rows_are_all_there(&page("docs/features.md", &rows.join("\n"))).len();
        assert_eq!(missing(&whole), 0);
        assert_eq!(missing(&whole[..whole.len() - 1]), 1);
        assert_eq!(missing(&whole[24..]), 1);
        assert_eq!(missing(&[]), COUNTS.len());
    }

    #[test]
    fn a_row_with_a_cell_too_few_or_too_many_goes_red() {
        let found = complaints(&["| A1 | run | — | |", "| A1 | run | — | | | |"]);
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
