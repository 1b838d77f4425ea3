//! Cancel safety: what the docs claim, `tests/cancel.rs` tests, in the same words.

use std::collections::BTreeMap;

use crate::items::{Claim, Items, Type};
use crate::source::Source;
use crate::tree::Complaint;

/// Where the tests are.
const TESTS: &str = "tests/cancel";
/// What stands before the names, on the line above a test.
const MARK: &str = "// cancels:";

/// A public function or type that makes a claim, or must.
struct Claimant<'a> {
    path: &'a str,
    line: usize,
    claim: Option<Claim>,
    /// The names of which a test must give one.
    names: Vec<String>,
}

/// Who waits, or says what a drop costs.
fn claimants(sources: &[Source]) -> Vec<Claimant<'_>> {
    let product = sources
        .iter()
        .filter(|source| source.path.starts_with("src/"));
    let files: Vec<(&Source, Items)> = product.map(|source| (source, Items::of(source))).collect();
    let kinds = Kinds { files: &files };
    let public = public_modules(sources);
    let (mut claimants, mut returned) = (Vec::new(), Vec::new());
    for (source, items) in &files {
        for function in &items.functions {
            let returns = function.returns.as_deref();
            let future =
                returns.filter(|name| *name == "Future" || kinds.is_future(name, &source.path));
            if function.claim.is_none() && future.is_none() {
                continue;
            }
            let mut names = vec![match module(&source.path, &public) {
                Some(module) if !function.is_method => format!("{module}::{}", function.name),
                _ => function.name.clone(),
            }];
            let kind = future.and_then(|name| kinds.declared(name, &source.path));
            let of_type = kind.and_then(|kind| kind.claim);
            returned.extend(kind.map(std::ptr::from_ref));
            if function.claim.is_none() && of_type.is_some() {
                names.extend(future.map(str::to_string));
            }
            claimants.push(Claimant {
                path: &source.path,
                line: function.line,
                claim: function.claim.or(of_type),
                names,
            });
        }
    }
    for (source, items) in &files {
        for kind in items.types.iter().filter(|kind| kind.claim.is_some()) {
            if !returned.contains(&std::ptr::from_ref(kind)) {
                claimants.push(Claimant {
                    path: &source.path,
                    line: kind.line,
                    claim: kind.claim,
                    names: vec![kind.name.clone()],
                });
            }
        }
    }
    claimants
}

/// The types of the product, of which two may have one name in two modules.
struct Kinds<'a> {
    files: &'a [(&'a Source, Items)],
}

impl<'a> Kinds<'a> {
    /// The file `user`, if it has a type of this name itself.
    fn in_file(&self, name: &str, user: &str) -> Option<&'a Items> {
        let mut files = self.files.iter();
        let (_, items) = files.find(|(source, _)| source.path == user)?;
        items
            .types
            .iter()
            .any(|kind| kind.name == name)
            .then_some(items)
    }

    /// Whether what `user` calls `name` is a future: its own file's or module's type, or else anybody's.
    fn is_future(&self, name: &str, user: &str) -> bool {
        let has = |items: &Items| items.futures.iter().any(|future| future == name);
        if let Some(items) = self.in_file(name, user) {
            return has(items);
        }
        let declared = self.at_home(name, user);
        declared.map_or_else(
            || self.files.iter().any(|(_, items)| has(items)),
            |home| {
                let mut files = self.files.iter();
                files.any(|(source, items)| top(&source.path) == home && has(items))
            },
        )
    }

    /// The public type that `user` calls `name`.
    fn declared(&self, name: &str, user: &str) -> Option<&'a Type> {
        if let Some(items) = self.in_file(name, user) {
            return items.types.iter().find(|kind| kind.name == name);
        }
        let home = self.at_home(name, user);
        let files = self.files.iter();
        files
            .filter(|(source, _)| home.is_none_or(|home| top(&source.path) == home))
            .flat_map(|(_, items)| &items.types)
            .find(|kind| kind.name == name)
    }

    /// The module of `user`, if it has a type of this name.
    fn at_home<'u>(&self, name: &str, user: &'u str) -> Option<&'u str> {
        let home = top(user);
        let has = |items: &Items| items.types.iter().any(|kind| kind.name == name);
        let mut files = self.files.iter();
        let is_there = files.any(|(source, items)| top(&source.path) == home && has(items));
        is_there.then_some(home)
    }
}

/// The first part of a path below `src`: the module that a file belongs to, public or not.
fn top(path: &str) -> &str {
    let inside = path.strip_prefix("src/").unwrap_or(path);
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

/// The modules that src/lib.rs shows.
fn public_modules(sources: &[Source]) -> Vec<&str> {
    let lib = sources.iter().find(|source| source.path == "src/lib.rs");
    let lines = lib.map_or(&[][..], |lib| &lib.lines[..]);
    lines
        .iter()
        .filter_map(|line| line.code.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect()
}

/// The public module that a file belongs to; without one its functions stand in the crate's root.
fn module<'a>(path: &str, public: &[&'a str]) -> Option<&'a str> {
    public.iter().copied().find(|module| *module == top(path))
}

/// A test that names what it cancels.
struct Test<'a> {
    path: &'a str,
    line: usize,
    name: &'a str,
    /// How it puts its case; `None` if it does not, or in two ways.
    verb: Option<Claim>,
}

/// The tests, one entry for each name they give.
fn tests(sources: &[Source]) -> Result<Vec<Test<'_>>, Complaint> {
    let mut tests = Vec::new();
    let is_ours = |path: &str| {
        path.strip_prefix(TESTS)
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    };
    for source in sources.iter().filter(|source| is_ours(&source.path)) {
        let functions = source.functions();
        for (index, line) in source.lines.iter().enumerate() {
            let Some(names) = line.comment.trim().strip_prefix(MARK) else {
                continue;
            };
            let test = functions.iter().find(|function| function.line == index + 2);
            let Some(test) = test else {
                let advice = format!("`{MARK}` belongs on the line above a test");
                return Err(Complaint::new(&source.path, index + 1, advice));
            };
            let verb = verb(&source.lines[test.line - 1..test.last_line]);
            tests.extend(names.split(',').map(|name| Test {
                path: &source.path,
                line: index + 1,
                name: name.trim(),
                verb,
            }));
        }
    }
    Ok(tests)
}

/// Which of the three ways the lines of a test call.
fn verb(lines: &[crate::source::Line]) -> Option<Claim> {
    let calls = |call: &str| lines.iter().any(|line| line.code.contains(call));
    let verbs = [
        (".safe(", Claim::Safe),
        (".loses_its_place(", Claim::LosesItsPlace),
        (".not_safe(", Claim::NotSafe),
    ];
    let mut called = verbs.iter().filter(|(call, _)| calls(call));
    match (called.next(), called.next()) {
        (Some((_, claim)), None) => Some(*claim),
        _ => None,
    }
}

/// Whether a test gives the name of this claimant; of what a macro writes the type is anybody's who has
/// no such method by itself.
fn is_named(claimant: &str, test: &str, known: &Known) -> bool {
    match claimant.strip_prefix('*') {
        Some(method) => test.ends_with(method) && !known.contains_key(test),
        None => claimant == test,
    }
}

/// The claims by the names that tests may give.
type Known = BTreeMap<String, Option<Claim>>;

/// Whoever waits says what a drop costs, in the fixed words, and a test holds it to them; and every
/// test names somebody who does.
pub(crate) fn claims_and_tests(sources: &[Source]) -> Vec<Complaint> {
    let tests = match tests(sources) {
        Ok(tests) => tests,
        Err(complaint) => return vec![complaint],
    };
    let mut complaints = Vec::new();
    let claimants = claimants(sources);
    let known: Known = claimants
        .iter()
        .flat_map(|claimant| claimant.names.iter().map(|name| (name, claimant.claim)))
        .map(|(name, claim)| (name.clone(), claim))
        .collect();
    for claimant in &claimants {
        let names = claimant.names.join("` or `");
        let mut complain = |advice: String| {
            complaints.push(Complaint::new(claimant.path, claimant.line, advice));
        };
        match claimant.claim {
            None => complain(format!("`{names}` waits: add a section `# Cancel safety`")),
            Some(Claim::Other) => complain(
                "begin with `Safe`, `Loses its place in line` or `Not safe, because …`".into(),
            ),
            Some(_) => {}
        }
        let mut names_of = claimant.names.iter();
        if !names_of.any(|name| tests.iter().any(|test| is_named(name, test.name, &known))) {
            complain(format!(
                "no test drops it: write one with `{MARK} {names}`, see {TESTS}.rs"
            ));
        }
    }
    for test in &tests {
        let written = test
            .name
            .rsplit("::")
            .next()
            .map(|name| format!("*::{name}"));
        let by_macro = || written.as_ref().and_then(|name| known.get(name));
        let Some(claim) = known.get(test.name).or_else(by_macro) else {
            let advice = format!("`{}` makes no claim of cancel safety", test.name);
            complaints.push(Complaint::new(test.path, test.line, advice));
            continue;
        };
        let is_fixed = matches!(claim, Some(claim) if *claim != Claim::Other);
        if is_fixed && test.verb != *claim {
            let says = |claim| match claim {
                Some(Claim::Safe) => "safe",
                Some(Claim::LosesItsPlace) => "loses_its_place",
                Some(Claim::NotSafe) => "not_safe",
                Some(Claim::Other) | None => "neither, or several",
            };
            let advice = format!(
                "`{}` is `{}` by its docs; the test calls `{}`",
                test.name,
                says(*claim),
                says(test.verb)
            );
            complaints.push(Complaint::new(test.path, test.line, advice));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the rule says of a product with this file beside this test.
    fn complaints(file: &str, test: &str) -> Vec<String> {
        let sources = [
            ("src/lib.rs", "pub mod net;\nmod spawn;"),
            ("src/net/tcp.rs", file),
            ("tests/cancel/net.rs", test),
        ];
        let texts = sources.map(|(path, text)| (path.to_string(), text.to_string()));
        let sources = Source::read_all(texts.into());
        let found = claims_and_tests(&sources);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_a_macro_writes_is_known_by_its_method() {
        let written =
            format!("macro_rules! reads {{ ($t:ty) => {{ {READ} }} }}").replace("Tcp<T>", "$t");
        assert_eq!(complaints(&written, TEST), Vec::<String>::new());
        let untested = complaints(&written, "");
        assert!(
            untested[0].contains("`// cancels: *::read`"),
            "{untested:?}"
        );
    }

    #[test]
    fn a_method_of_the_same_name_does_not_test_what_a_macro_writes() {
        let written = "macro_rules! m { () => {\n/// # Cancel safety\n/// Safe.\npub fn read() -> Read {}\n} }\n";
        let found = complaints(&format!("{written}{READ}"), TEST);
        assert_one(&found, "`// cancels: *::read`");
    }

    #[test]
    fn of_two_types_with_one_name_the_own_module_s_is_meant() {
        let future = "/// # Cancel safety\n/// Safe.\npub struct Limit;\nimpl Future for Limit {}\npub fn limit() -> Limit {}\n";
        let stream = "pub struct Limit;\nimpl Each {\npub fn limit() -> Limit {}\n}\n";
        let complain = |test: &str| {
            let sources = [
                ("src/lib.rs", "pub mod net;\npub mod stream;"),
                ("src/net/limit.rs", future),
                ("src/stream.rs", stream),
                ("tests/cancel/net.rs", test),
            ];
            let texts = sources.map(|(path, text)| (path.to_string(), text.to_string()));
            let found = claims_and_tests(&Source::read_all(texts.into()));
            found.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let test = TEST.replace("Tcp::read", "net::limit");
        assert_eq!(complain(&test), [""; 0]);
        assert_one(&complain(""), "net::limit` or `Limit");
    }

    const READ: &str = "impl<T> Tcp<T> {\n/// Reads.\n///\n/// # Cancel safety\n/// Safe: nothing is taken.\n#[inline]\npub fn read<'a>(&'a self) -> Read<'a> { Read }\n}\npub struct Read<'a>;\nimpl Future for Read<'_> { fn poll(self) {} }\n";
    const TEST: &str = "// cancels: Tcp::read\nfn a(on: On) {\n Case::new().safe(x)\n}\n";

    #[track_caller]
    fn assert_one(found: &[String], words: &str) {
        assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
    }

    #[test]
    fn a_claim_with_its_test_passes() {
        assert_eq!(complaints(READ, TEST), [""; 0]);
    }

    #[test]
    fn a_claim_without_a_test_goes_red_and_the_reverse() {
        assert_one(&complaints(READ, ""), "no test drops it");
        let both = TEST.replace("Tcp::read", "Tcp::read, Tcp::wriet");
        assert_one(&complaints(READ, &both), "`Tcp::wriet` makes no claim");
        let apart = TEST.replace("\nfn", "\n\nfn");
        assert_one(&complaints(READ, &apart), "on the line above a test");
    }

    #[test]
    fn a_future_without_a_claim_goes_red() {
        let silent = READ.replace("# Cancel safety", "# Safety");
        assert_one(&complaints(&silent, TEST), "add a section");
        for function in [
            "pub async fn read() {}",
            "pub fn read() -> impl Future<Output = ()> {}",
            "pub trait Tcp {\nfn read(&mut self) -> impl Future<Output = ()>;\n}",
        ] {
            let name = if function.contains("trait") {
                "Tcp::read"
            } else {
                "net::read"
            };
            let test = TEST.replace("Tcp::read", name);
            assert_one(&complaints(function, &test)[..1], "add a section");
        }
    }

    #[test]
    fn other_words_and_another_verb_go_red() {
        let other = READ.replace("Safe: nothing", "Quite safe: nothing");
        assert!(complaints(&other, TEST)[0].contains("begin with"));
        let verb = TEST.replace(".safe(", ".not_safe(");
        assert_one(
            &complaints(READ, &verb),
            "is `safe` by its docs; the test calls `not_safe`",
        );
    }

    #[test]
    fn a_type_speaks_for_the_functions_that_return_it() {
        let of_type = "/// # Cancel safety\n/// Safe.\npub struct Read;\nimpl Future for Read { }\npub fn read() -> Read { }\npub(crate) fn own() -> Read { }\n";
        for name in ["Read", "net::read"] {
            let test = TEST.replace("Tcp::read", name);
            assert_eq!(complaints(of_type, &test), [""; 0]);
        }
        assert_one(&complaints(of_type, ""), "net::read` or `Read");
        let behind = of_type.replace("-> Read {", "-> Result<Read, ()> {");
        assert_one(&complaints(&behind, ""), "`// cancels: Read`");
    }

    #[test]
    fn what_users_do_not_see_makes_no_claim() {
        let unseen = "struct Own;\nimpl Future for Own {}\nimpl Own {\nfn a() -> Own { async fn b() {} }\n}\ntrait T {\nfn c() -> Own;\n}\n#[cfg(test)]\nmod tests {\npub async fn d() {}\n}\nimpl X for Own {\npub async fn f() {}\n}\n";
        assert_eq!(complaints(unseen, ""), [""; 0]);
    }
}
