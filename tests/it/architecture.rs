//! Imports point one way, each large dependency has one home, and nothing grows without end.

use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the library with the modules of ours that it may import.
const IMPORTS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("timer", &[]),
    ("wire", &[]),
    ("tls", &[]),
    ("config", &["model"]),
    ("sql", &["model"]),
    ("policy", &["model"]),
    ("audit", &["model", "timer"]),
    ("store", &["model", "timer"]),
    ("identity", &["model", "store", "timer"]),
    ("approval", &["model", "timer", "policy", "store"]),
    ("upstream", &["model", "timer", "wire", "tls", "approval"]),
    ("catalogue", &["model", "timer", "sql", "wire", "upstream"]),
    (
        "session",
        &[
            "model",
            "timer",
            "wire",
            "tls",
            "sql",
            "policy",
            "store",
            "audit",
            "identity",
            "approval",
            "upstream",
            "catalogue",
        ],
    ),
    (
        "console",
        &["model", "timer", "policy", "store", "identity", "approval"],
    ),
    (
        "app",
        &[
            "model",
            "timer",
            "wire",
            "tls",
            "config",
            "sql",
            "policy",
            "store",
            "audit",
            "identity",
            "approval",
            "upstream",
            "catalogue",
            "session",
            "console",
        ],
    ),
    (
        "cli",
        &[
            "model", "timer", "config", "sql", "policy", "store", "identity", "approval", "app",
        ],
    ),
];

/// Dependencies with the modules that may name them; the rest of the library does without.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("pg_query", &["sql"]),
    ("sqlparser", &["sql"]),
    ("pgwire", &["wire", "identity", "upstream"]),
    ("figment", &["config"]),
    ("clap", &["cli"]),
    ("axum", &["console", "app"]),
    ("askama", &["console"]),
    ("socket2", &["wire", "app"]),
    ("rustls", &["tls", "cli"]),
    ("tokio::time", &["timer"]),
    ("tokio_rustls", &["tls", "wire"]),
    ("webpki", &["tls"]),
    ("x509_cert", &["tls"]),
    ("rustls_native_certs", &["tls"]),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 80;

#[test]
fn imports_point_one_way() {
    let modules: Vec<&str> = IMPORTS.iter().map(|(module, _)| *module).collect();
    assert_eq!(
        top_level_modules(),
        sorted(&modules),
        "a module is missing in this list"
    );
    let mut wrong = Vec::new();
    for (module, allowed) in IMPORTS {
        for file in files_of(module) {
            for (number, line) in code_of(&file) {
                if line.trim_end().ends_with("crate::{") {
                    wrong.push(format!(
                        "{}:{number}: one line for each module, please",
                        file.display()
                    ));
                }
                for named in modules_named(&line, depth(&file), &modules) {
                    if named != *module && !allowed.contains(&named) {
                        wrong.push(format!("{}:{number} imports {named}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_dependency_has_one_home() {
    let mut wrong = Vec::new();
    for module in top_level_modules() {
        for file in files_of(&module) {
            for (number, line) in code_of(&file) {
                for (dependency, homes) in HOMES {
                    if !homes.contains(&module.as_str()) && names(&line, &format!("{dependency}::")) {
                        wrong.push(format!("{}:{number} names {dependency}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_and_no_function_is_too_long() {
    let mut long = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            if lines.len() > LONGEST_FILE {
                long.push(format!("{}: {} lines", file.display(), lines.len()));
            }
            // Tests may be tables.
            let tests = lines
                .iter()
                .position(|line| line.trim() == "#[cfg(test)]")
                .unwrap_or(lines.len());
            let place = file.strip_prefix(root()).unwrap().display().to_string();
            let is_test = place.contains("tests");
            for (at, length) in functions(&lines) {
                if length > LONGEST_FUNCTION && at < tests && !is_test {
                    long.push(format!(
                        "{}:{}: a function of {length} lines",
                        file.display(),
                        at + 1
                    ));
                }
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn the_scan_sees_what_it_must() {
    let modules = ["wire", "model"];
    for (line, depth, expected) in [
        ("use crate::wire::Header;", 2, &["wire"][..]),
        ("use crate::{model, wire};", 1, &["wire", "model"]),
        ("    let x = crate::model::Clock::now();", 1, &["model"]),
        ("use super::super::wire::Header;", 2, &["wire"]),
        ("use super::wire::Header;", 2, &[]),
        ("use super::wire::Header;", 1, &["wire"]),
        ("use crate::wireless::X;", 1, &[]),
    ] {
        assert_eq!(modules_named(line, depth, &modules), expected, "{line}");
    }
    assert!(names("use sqlx::Row;", "sqlx::") && !names("use mysqlx::Row;", "sqlx::"));
    let lines = [
        "    fn a() {",
        "        {",
        "        }",
        "    }",
        "fn b() {}",
        "fn c();",
    ];
    assert_eq!(functions(&lines), [(0, 4)]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The modules that `lib.rs` declares, sorted.
fn top_level_modules() -> Vec<String> {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let declared: Vec<&str> = declared.collect();
    sorted(&declared)
}

fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let mut files = rust_files(&root().join("src").join(module));
    files.push(root().join(format!("src/{module}.rs")));
    files
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// How many `super` lead from this file's module to the crate's root.
fn depth(file: &Path) -> usize {
    file.strip_prefix(root().join("src"))
        .unwrap()
        .components()
        .count()
}

/// The numbered lines that are code.
fn code_of(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().enumerate();
    lines
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line.to_owned()))
        .collect()
}

/// The modules of ours that a line names from the crate's root.
fn modules_named<'m>(line: &str, depth: usize, modules: &[&'m str]) -> Vec<&'m str> {
    let from_root = ["crate::".to_owned(), "super::".repeat(depth)];
    let named = |module: &&&str| {
        from_root.iter().any(|start| {
            names(line, &format!("{start}{module}::"))
                || names(line, &format!("{start}{module};"))
                || line
                    .split_once(&format!("{start}{{"))
                    .is_some_and(|(_, list)| list.split([',', '}', ' ', ':']).any(|word| word == **module))
        })
    };
    modules.iter().filter(named).copied().collect()
}

/// Whether a line has this path, not as the end of a longer name.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

/// Where functions of several lines begin, and how long they are, in code that is formatted.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = ["fn ", "pub fn ", "async fn ", "const fn "]
            .iter()
            .any(|start| code.starts_with(start))
            || (code.starts_with("pub") && code.contains(" fn "));
        if !is_function || code.ends_with(';') || code.ends_with('}') {
            continue;
        }
        let indent = &line[..line.len() - code.len()];
        let is_own = |line: &&&str| {
            !line.is_empty() && line.starts_with(indent) && !line[indent.len()..].starts_with([' ', ')', '{'])
        };
        // A declaration without a body ends in a semicolon, and has no line of its own behind it.
        let last = lines[at + 1..].iter().position(|line| is_own(&line));
        if let Some(length) = last.filter(|&length| lines[at + 1 + length] == format!("{indent}}}")) {
            found.push((at, length + 2));
        }
    }
    found
}
