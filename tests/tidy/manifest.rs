//! Manifests: the dependencies and features agreed upon, and examples that cargo can find.

use crate::tree::{Complaint, Exists, Page};

/// What a user of the crate may have to build, beside what these bring themselves.
const DEPENDENCIES: [&str; 4] = ["mainspring-sys", "libc", "rustix", "bitflags"];
/// Cargo features: a new one needs a decision record.
const FEATURES: [&str; 3] = ["default", "inspect", "sim"];

/// The keys of the sections that `is_wanted` names, each with its line and section.
fn keys(page: &Page, is_wanted: impl Fn(&str) -> bool) -> Vec<(usize, &str, &str)> {
    let (mut section, mut depth) = ("", 0usize);
    let mut keys = Vec::new();
    for (number, line) in page.lines() {
        let line = line.trim();
        if depth == 0 && line.starts_with('[') {
            section = line.trim_matches(['[', ']']);
            continue;
        }
        if let (0, true, Some((key, _))) = (depth, is_wanted(section), line.split_once('=')) {
            if !line.starts_with('#') {
                keys.push((number, section, key.trim().trim_matches('"')));
            }
        }
        // An array that goes on over several lines.
        depth = (depth + line.matches('[').count()).saturating_sub(line.matches(']').count());
    }
    keys
}

/// Runtime dependencies are those of the list. (Those for tests and benches are free.)
pub(crate) fn dependencies(page: &Page) -> Vec<Complaint> {
    let is_table = |section: &str, name: &str| {
        section == name || section.ends_with(&format!(".{name}")) && section.starts_with("target.")
    };
    let is_runtime = |section: &str| {
        is_table(section, "dependencies") || is_table(section, "build-dependencies")
    };
    let mut found: Vec<(usize, String)> = keys(page, is_runtime)
        .into_iter()
        .map(|(line, _, key)| (line, key.split('.').next().unwrap_or(key).to_string()))
        .collect();
    // `[dependencies.name]`
    for (number, line) in page.lines() {
        let section = line.trim().trim_matches(['[', ']']);
        let name = section.strip_prefix("dependencies.").or_else(|| {
            section
                .starts_with("target.")
                .then(|| section.split(".dependencies.").nth(1))
                .flatten()
        });
        if let (true, Some(name)) = (line.starts_with('['), name) {
            found.push((number, name.to_string()));
        }
    }
    found
        .into_iter()
        .filter(|(_, name)| !DEPENDENCIES.contains(&name.as_str()))
        .map(|(line, name)| {
            let advice = format!("`{name}` is not among the agreed dependencies: do without it");
            Complaint::new(&page.path, line, advice)
        })
        .collect()
}

/// Features are those of the list.
pub(crate) fn features(page: &Page) -> Vec<Complaint> {
    keys(page, |section| section == "features")
        .into_iter()
        .filter(|(_, _, name)| !FEATURES.contains(name))
        .map(|(line, _, name)| {
            let advice = format!(
                "feature `{name}`: write a decision record and list it in tests/tidy/manifest.rs"
            );
            Complaint::new(&page.path, line, advice)
        })
        .collect()
}

/// Every file in docs/examples is declared, every declared one exists.
pub(crate) fn examples(page: &Page, exists: &Exists) -> Vec<Complaint> {
    const FOLDER: &str = "docs/examples/";
    let declared: Vec<(usize, &str)> = page
        .lines()
        .filter(|(_, line)| line.trim_start().starts_with("path"))
        .filter_map(|(number, line)| line.split('"').nth(1).map(|path| (number, path)))
        .filter(|(_, path)| path.starts_with(FOLDER))
        .collect();
    let is_program = |path: &&String| {
        path.strip_prefix(FOLDER)
            .is_some_and(|name| name.ends_with(".rs") && !name.contains('/'))
    };
    let undeclared = exists
        .0
        .iter()
        .filter(is_program)
        .filter(|path| !declared.iter().any(|(_, declared)| declared == path))
        .map(|path| Complaint::new(path, 1, "declare it: [[example]] with `path` in Cargo.toml"));
    let missing = declared
        .iter()
        .filter(|(_, path)| !exists.0.contains(*path))
        .map(|(line, path)| Complaint::new(&page.path, *line, format!("`{path}` is missing")));
    undeclared.chain(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::page;

    #[test]
    fn a_new_dependency_goes_red_wherever_it_hides() {
        let good = "[dependencies]\nlibc = \"0.2\"\nrustix = { version = \"1\", features = [\n  \"net\",\n] }\n[dev-dependencies]\nloom = \"1\"\n";
        assert!(dependencies(&page("Cargo.toml", good)).is_empty());
        for bad in [
            "[dependencies]\nmio = \"1\"",
            "[dependencies.mio]\nversion = \"1\"",
            "[target.'cfg(unix)'.dependencies]\nmio = \"1\"",
            "[build-dependencies]\ncc = \"1\"",
            "[dependencies]\nmio.version = \"1\"",
        ] {
            assert_eq!(dependencies(&page("Cargo.toml", bad)).len(), 1, "{bad:?}");
        }
    }

    #[test]
    fn a_new_feature_goes_red() {
        let text = "[features]\ndefault = [\"inspect\"]\ninspect = []\n# full = []\nturbo = []\n";
        assert_eq!(features(&page("Cargo.toml", text)).len(), 1);
    }

    #[test]
    fn an_example_nobody_declared_goes_red_and_the_reverse() {
        let exists = Exists(
            ["docs/examples/a.rs", "docs/examples/b.rs"]
                .map(String::from)
                .into(),
        );
        let text = "[[example]]\nname = \"a\"\npath = \"docs/examples/a.rs\"\n";
        assert_eq!(examples(&page("Cargo.toml", text), &exists).len(), 1);
        let text = format!(
            "{text}\n[[example]]\npath = \"docs/examples/b.rs\"\n[[example]]\npath = \"docs/examples/c.rs\"\n"
        );
        assert_eq!(examples(&page("Cargo.toml", &text), &exists).len(), 1);
    }
}
