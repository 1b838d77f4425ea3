//! Names: operating systems, clocks and words that have no place in the sources.

use crate::source::{Source, Token};
use crate::tree::Complaint;

/// Words that name an operating system or the crates that call it.
const SYSTEM_WORDS: [&str; 5] = [
    "target_os",
    "target_vendor",
    "target_family",
    "rustix",
    "libc",
];

/// Words that an identifier may not contain, and what to say instead.
const BANNED_WORDS: [(&str, &str); 4] = [
    ("park", "say what it waits for"),
    ("parked", "say `waiting` or `asleep`"),
    ("unpark", "say `wake` or `notify`"),
    ("manager", "say what it does"),
];

/// What a function's name may not begin with, and what to say instead.
const BANNED_BEGINNINGS: [(&str, &str); 3] = [
    ("handle_", "say what happens to it"),
    ("do_", "the verb after it is the name"),
    ("get_", "a getter is called like its field"),
];

/// `get_` is right where the standard library has made it a convention; a count of handles is a
/// noun.
const ALLOWED: [&str; 5] = [
    "get_mut",
    "get_ref",
    "get_or_init",
    "get_or_try_init",
    "handle_count",
];

fn is_product(source: &Source) -> bool {
    source.path.starts_with("src/")
}

fn is_product_or_sys(source: &Source) -> bool {
    is_product(source) || source.path.starts_with("sys/src/")
}

/// `src/` names neither an operating system nor a crate of system calls.
pub(crate) fn no_operating_system(source: &Source) -> Vec<Complaint> {
    if !is_product(source) {
        return Vec::new();
    }
    let tokens = source.tokens();
    tokens
        .iter()
        .filter(|token| SYSTEM_WORDS.contains(&token.text))
        .map(|token| {
            let advice = format!("`{}` in src/: this belongs into sys/", token.text);
            Complaint::new(&source.path, token.line, advice)
        })
        .collect()
}

/// `src/` takes the time from the loop's clock and never sleeps.
pub(crate) fn no_foreign_clock(source: &Source) -> Vec<Complaint> {
    const FOREIGN: [&str; 4] = [
        "std::time::Instant",
        "std::time::SystemTime",
        "std::thread::sleep",
        "thread::sleep",
    ];
    if !is_product(source) {
        return Vec::new();
    }
    let mut complaints = Vec::new();
    for path in source.paths() {
        let name = path.parts.join("::");
        let is_foreign = FOREIGN
            .iter()
            .any(|foreign| name == *foreign || name.starts_with(&format!("{foreign}::")));
        if is_foreign || name == "std::time::*" {
            let advice = format!("`{name}`: take `mainspring_sys::Clock`, which a test can own");
            complaints.push(Complaint::new(&source.path, path.line, advice));
        }
    }
    complaints
}

/// The banned words, in every identifier of the two crates.
pub(crate) fn no_banned_words(source: &Source) -> Vec<Complaint> {
    if !is_product_or_sys(source) {
        return Vec::new();
    }
    let tokens = source.tokens();
    let mut complaints = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if !token.is_word() || is_std_threads(&tokens, index) {
            continue;
        }
        let declares_fn = index > 0 && tokens[index - 1].text == "fn";
        let word = words(token.text)
            .into_iter()
            .find_map(|word| BANNED_WORDS.iter().find(|(banned, _)| *banned == word));
        let beginning = BANNED_BEGINNINGS.iter().find(|(beginning, _)| {
            declares_fn && token.text.starts_with(beginning) && !ALLOWED.contains(&token.text)
        });
        if let Some((banned, instead)) = word.or(beginning) {
            let advice = format!("`{}`: no `{banned}`; {instead}", token.text);
            complaints.push(Complaint::new(&source.path, token.line, advice));
        }
    }
    complaints
}

/// `thread::park` and `.unpark()` are the standard library's words, not ours.
fn is_std_threads(tokens: &[Token<'_>], index: usize) -> bool {
    let before = |distance: usize| index.checked_sub(distance).map_or("", |at| tokens[at].text);
    before(1) == "::" && before(2) == "thread" || before(1) == "." && tokens[index].text == "unpark"
}

/// The words of an identifier, `snake_case` or `CamelCase`, in small letters.
fn words(identifier: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in identifier.chars() {
        if c == '_' || c.is_uppercase() && was_small {
            words.push(String::new());
        }
        if c != '_' {
            words
                .last_mut()
                .expect("there is one")
                .extend(c.to_lowercase());
        }
        was_small = c.is_lowercase();
    }
    words
}

/// Nothing unfinished, switched off, or left from debugging.
pub(crate) fn nothing_left_over(source: &Source) -> Vec<Complaint> {
    const MACROS: [&str; 3] = ["todo", "unimplemented", "dbg"];
    const MARKS: [&str; 2] = ["FIXME", "XXX"];
    if !is_product_or_sys(source) {
        return Vec::new();
    }
    let tokens = source.tokens();
    let in_code = tokens.windows(3).filter_map(|three| {
        let is_macro = MACROS.contains(&three[0].text) && three[1].text == "!";
        let is_ignored = three[0].text == "#" && three[1].text == "[" && three[2].text == "ignore";
        let text = if is_ignored {
            "#[ignore]"
        } else {
            three[0].text
        };
        (is_macro || is_ignored).then_some((three[0].line, text))
    });
    let in_comments = source.lines.iter().enumerate().filter_map(|(index, line)| {
        let mut words = line.comment.split(|c: char| !c.is_alphanumeric());
        words
            .find_map(|word| MARKS.iter().find(|mark| **mark == word))
            .map(|mark| (index + 1, *mark))
    });
    in_code
        .chain(in_comments)
        .map(|(line, what)| {
            let advice = format!("`{what}` is left here: finish it, or write an issue");
            Complaint::new(&source.path, line, advice)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rule: impl Fn(&Source) -> Vec<Complaint>, path: &str, text: &str) -> usize {
        rule(&Source::new(path, text)).len()
    }

    #[test]
    fn an_operating_system_in_src_goes_red() {
        let text = "#[cfg(target_os = \"linux\")]\nuse libc::c_int; // libc\nuse rustix::io;";
        assert_eq!(count(no_operating_system, "src/reactor.rs", text), 3);
        assert_eq!(count(no_operating_system, "sys/src/fd.rs", text), 0);
        assert_eq!(
            count(
                no_operating_system,
                "src/a.rs",
                "//! Not libc's.\nlet s = \"libc\";"
            ),
            0
        );
    }

    #[test]
    fn a_foreign_clock_goes_red_however_it_is_imported() {
        let text =
            "use std::time::{Duration, Instant};\nuse std::thread;\nfn a() { thread::sleep(d); }";
        assert_eq!(count(no_foreign_clock, "src/timers.rs", text), 2);
        assert_eq!(
            count(
                no_foreign_clock,
                "src/a.rs",
                "let t = std::time::Instant::now();"
            ),
            1
        );
        assert_eq!(
            count(
                no_foreign_clock,
                "src/a.rs",
                "use mainspring_sys::clock::Instant;"
            ),
            0
        );
    }

    #[test]
    fn banned_words_go_red_in_any_case() {
        let text = "struct TimerManager;\nfn handle_event() {}\nfn get_fd() {}\nfn do_it() {}\nlet is_parked = 1;";
        assert_eq!(count(no_banned_words, "src/a.rs", text), 5);
    }

    #[test]
    fn words_that_only_look_banned_stay_green() {
        let text = "fn get() {}\nfn get_mut() {}\nlet spark = handle;\nstd::thread::park();\nfn doctor() {}\nfn handle_count() {}";
        assert_eq!(count(no_banned_words, "src/a.rs", text), 0);
    }

    #[test]
    fn left_overs_go_red() {
        let text =
            "fn a() { todo!() }\n#[ignore = \"slow\"]\nfn b() { dbg!(1); }\n// FIXME: no\n// XXX";
        assert_eq!(count(nothing_left_over, "sys/src/a.rs", text), 5);
        assert_eq!(
            count(
                nothing_left_over,
                "src/a.rs",
                "let todo = 1; // a todo list"
            ),
            0
        );
    }
}
