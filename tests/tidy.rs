//! Tidy: the rules of this tree that no compiler checks, one test per rule.
//!
//! *Model.* A rule is a function from a text (or all of them) to complaints, each with file, line
//! and what to do about it. The tests of this file put the rules to the tree; the tests beside
//! each rule put them to a bad sample, for a rule that cannot go red is no rule.
//!
//! *Why not a script, or a lint tool.* It runs with `cargo test`, on every system, with nothing to
//! install, and the next contributor can read it.

#[path = "tidy/awaits.rs"]
mod awaits;
#[path = "tidy/cancel.rs"]
mod cancel;
#[path = "tidy/docs.rs"]
mod docs;
#[path = "tidy/features.rs"]
mod features;
#[path = "tidy/items.rs"]
mod items;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/manifest.rs"]
mod manifest;
#[path = "tidy/names.rs"]
mod names;
#[path = "tidy/promises.rs"]
mod promises;
#[path = "tidy/size.rs"]
mod size;
#[path = "tidy/source.rs"]
mod source;
#[path = "tidy/tree.rs"]
mod tree;
#[path = "tidy/unsafety.rs"]
mod unsafety;

use tree::{Complaint, tree};

/// Fails with every complaint on a line of its own.
#[track_caller]
fn settle(complaints: Vec<Complaint>) {
    if complaints.is_empty() {
        return;
    }
    let lines: Vec<String> = complaints.iter().map(ToString::to_string).collect();
    panic!("{} complaints:\n{}\n", lines.len(), lines.join("\n"));
}

// A cycle, or an arrow upwards, is the moment at which parts can no longer be read one by one.
#[test]
fn a_module_uses_only_what_lies_below_it() {
    settle(tree().each_rust(|source| layers::check(&layers::SRC, source)));
}

// The same for the crate of system calls.
#[test]
fn a_sys_module_uses_only_what_lies_below_it() {
    settle(tree().each_rust(|source| layers::check(&layers::SYS, source)));
}

// Portability is the job of `sys`: an operating system named above it is a branch nobody tests.
#[test]
fn src_names_no_operating_system() {
    settle(tree().each_rust(names::no_operating_system));
}

// Time that does not come from the loop's clock cannot be owned by a test.
#[test]
fn src_reads_no_clock_of_its_own() {
    settle(tree().each_rust(names::no_foreign_clock));
}

// One word, one meaning: these words have none, or another one elsewhere.
#[test]
fn identifiers_avoid_the_banned_words() {
    settle(tree().each_rust(names::no_banned_words));
}

// What is unfinished must stand in an issue, not in the sources.
#[test]
fn nothing_unfinished_is_left_in_the_sources() {
    settle(tree().each_rust(names::nothing_left_over));
}

// A reader who opens a file must learn from its first line what it is.
#[test]
fn every_file_starts_with_a_sentence() {
    settle(tree().each_rust(size::starts_with_a_sentence));
}

// A file that outgrows its budget is two ideas.
#[test]
fn files_stay_within_their_budget() {
    settle(tree().each_rust(size::file_budget));
}

// A function that does not fit on a screen is read in pieces and believed as a whole.
#[test]
fn functions_stay_within_their_budget() {
    settle(tree().each_rust(size::function_budget));
}

// `foo.rs` + `foo/`: an editor full of tabs called `mod.rs` helps nobody.
#[test]
fn there_is_no_mod_rs() {
    settle(tree().each_rust(size::no_mod_rs));
}

// Unsafe code is a list that one can audit, or it is everywhere.
#[test]
fn the_list_of_unsafe_files_is_true() {
    settle(tree().with("docs/architecture.md", |list| {
        unsafety::list_is_true(&tree().rust, list)
    }));
}

// An unsafe file rests on invariants; unnamed they cannot be cited.
#[test]
fn unsafe_files_name_their_invariants() {
    settle(tree().each_rust(unsafety::names_its_invariants));
}

// A safety comment that gives no reason is a signature on an empty page.
#[test]
fn every_unsafe_block_gives_its_reason() {
    settle(tree().each_rust(unsafety::gives_its_reason));
}

// A promise that no test defends is a hope.
#[test]
fn every_promise_has_a_test_and_every_promise_test_a_promise() {
    settle(tree().with("docs/promises.md", |page| {
        promises::promises_and_tests(&tree().rust, page)
    }));
}

// "Cancel safe" is the easiest sentence to write, and a refactoring breaks it silently.
#[test]
fn p14_hz_i06_every_claim_of_cancel_safety_has_a_test_that_drops_it_everywhere() {
    settle(cancel::claims_and_tests(&tree().rust));
}

// An await that was forgotten does nothing, and nobody hears of it at run time.
#[test]
fn futures_that_nobody_awaits_make_a_warning() {
    settle(tree().each_rust(awaits::futures_must_be_used));
}

// A sign on a page costs nothing; a test behind it does.
#[test]
fn every_feature_is_shown_by_a_test_that_exists() {
    settle(tree().with("docs/features.md", |page| {
        features::rows_are_shown(&tree().rust, page)
    }));
}

// A row that disappears was not answered by that.
#[test]
fn the_feature_list_is_complete() {
    settle(tree().with("docs/features.md", features::rows_are_all_there));
}

// The count of covered hazards is worth something only if each id means what the list says.
#[test]
fn hazard_tests_name_hazards_that_exist() {
    settle(tree().with("docs/hazards.txt", |list| {
        promises::hazard_names(&tree().rust, list)
    }));
}

// The list of hazards is fixed: one that disappears was not covered by that.
#[test]
fn the_hazard_list_is_complete() {
    settle(tree().with("docs/hazards.txt", promises::hazard_list));
}

// "Cannot happen by construction" is the easiest sentence to write, so it is rationed.
#[test]
fn few_hazards_are_covered_by_a_sentence() {
    settle(tree().with("docs/promises.md", |page| {
        tree().with("docs/hazards.txt", |list| {
            promises::by_construction(page, list)
        })
    }));
}

// The tick's numbers are what code, chapter and tests share; one that drifts misleads in all three.
#[test]
fn the_steps_of_a_tick_have_their_tests() {
    settle(tree().with("tests/tick_order.rs", promises::tick_steps_are_tested));
}

// The chapter on the tick is read beside the function.
#[test]
fn the_steps_of_a_tick_read_alike_in_code_and_docs() {
    settle(tree().with("src/event_loop.rs", |code| {
        tree().with("docs/tour/one-tick.md", |page| {
            docs::tick_reads_alike(code, page)
        })
    }));
}

// A dead link tells the reader that nobody else came this way.
#[test]
fn relative_links_lead_somewhere() {
    settle(tree().each_page(|page| docs::links(page, tree().exists())));
}

// A page that no list names is found by nobody.
#[test]
fn the_summary_lists_every_page() {
    settle(tree().with("docs/SUMMARY.md", |page| {
        docs::summary_is_whole(page, tree().exists())
    }));
}

// A chapter's program that nobody runs is a picture of a program.
#[test]
fn every_chapter_is_among_the_doc_tests() {
    settle(tree().with("src/lib.rs", |page| {
        docs::chapters_are_tested(page, tree().exists())
    }));
}

// A map with a street that was torn down is worse than none.
#[test]
fn the_code_map_names_files_that_exist() {
    settle(tree().with("docs/architecture.md", |page| {
        docs::code_map(page, tree().exists())
    }));
}

// A decision that needs more than two pages has not been taken.
#[test]
fn decision_records_are_short() {
    settle(tree().each_page(docs::decision_is_short));
}

// Few dependencies are a promise to whoever links this crate.
#[test]
fn only_the_agreed_dependencies() {
    settle(
        ["Cargo.toml", "sys/Cargo.toml"]
            .into_iter()
            .flat_map(|path| tree().with(path, manifest::dependencies))
            .collect(),
    );
}

// A feature that grows unnoticed doubles the number of builds to test.
#[test]
fn only_the_agreed_features() {
    settle(tree().with("Cargo.toml", manifest::features));
}

// Examples live outside `examples/`, so cargo finds only those that are declared.
#[test]
fn every_example_is_declared() {
    settle(tree().with("Cargo.toml", |page| {
        manifest::examples(page, tree().exists())
    }));
}
