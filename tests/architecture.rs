//! The house rules that a machine can see: which room may use which, what the pure rooms never touch, what no source
//! may hold, and that the map in docs/ARCHITECTURE.md names only what is there.

use std::fs;
use std::path::{Path, PathBuf};

/// From the street down to the cellar: each room and the rooms that it may use.
const ROOMS: &[(&str, &[&str])] = &[
    (
        "cli",
        &[
            "http",
            "report",
            "suggest",
            "pipeline",
            "kafka",
            "snapshot",
            "trial",
            "plain",
            "engine",
            "config",
            "rules",
            "telemetry",
            "event",
        ],
    ),
    ("http", &["pipeline", "engine", "config", "rules", "telemetry", "event"]),
    ("pipeline", &["kafka", "snapshot", "plain", "engine", "config", "rules", "telemetry", "event"]),
    ("report", &["engine", "config", "rules", "event"]),
    ("suggest", &["engine", "rules", "event"]),
    ("kafka", &["config", "telemetry", "event"]),
    ("snapshot", &["engine", "rules", "telemetry", "event"]),
    ("trial", &["engine", "rules", "event"]),
    ("plain", &["rules", "event"]),
    ("engine", &["rules", "event"]),
    ("config", &["rules", "event"]),
    ("rules", &["event"]),
    ("telemetry", &[]),
    ("event", &[]),
];

/// Rooms whose answer depends on their arguments alone.
const PURE: &[&str] = &["event", "rules", "engine", "report", "suggest", "trial", "plain"];

/// What the pure rooms never name.
const WORLD: &[&str] = &[
    "std::time",
    "std::thread",
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::io",
    "tokio",
    "tracing",
    "rand",
    "getrandom",
    "metrics",
    "rdkafka",
    "crossbeam_channel",
    "SystemTime",
    "Zoned::now",
    "Timestamp::now",
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
    "log",
];

/// What no source of the program holds outside its tests, and what to do instead.
const NOWHERE: &[(&str, &str)] = &[
    (".unwrap()", "say with `expect` why it holds, or return the error"),
    ("panic!(", "input never panics; for what would be our own fault, assert"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    ("thread::sleep", "wait for what is awaited"),
    ("allow(dead_code", "remove what nobody uses"),
    ("allow(unused", "remove what nobody uses"),
];

const MAX_LINES: usize = 800;

/// A Rust file: its path from the root of the project, its text, and its text without comments and strings.
struct Source {
    path: String,
    text: String,
    code: String,
}

impl Source {
    /// The room it is in, when it is in one.
    fn room(&self) -> Option<&str> {
        self.path.strip_prefix("src/")?.split_once('/').map(|(room, _)| room)
    }

    /// The code without the tests, which stand last.
    fn program(&self) -> &str {
        let end = self.code.find("#[cfg(test)]\nmod ").unwrap_or(self.code.len());
        &self.code[..end]
    }

    fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// `path:line` of a place in the code.
    fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, 1 + self.code[..offset].matches('\n').count())
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_under(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            files_under(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    found.sort();
}

fn sources(folder: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    files_under(&root().join(folder), "rs", &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source is UTF-8");
            let path = path.strip_prefix(root()).expect("it is under the root").display().to_string();
            Source { path, code: without_comments_and_strings(&text), text }
        })
        .collect()
}

/// The program's own sources; there are some, or the other checks would check nothing.
fn program() -> Vec<Source> {
    let found: Vec<Source> = sources("src").into_iter().filter(|source| !source.is_test()).collect();
    assert!(found.len() > 10, "only {} sources found", found.len());
    found
}

/// Blanks comments and the insides of strings, keeping every line where it was.
fn without_comments_and_strings(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = end_of_blank(&text[at..]).map(|length| at + length);
        if let Some(end) = end {
            code[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at = end.unwrap_or(at + 1);
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    String::from_utf8(code).expect("blanks replace whole characters")
}

/// The length of the comment, string or character literal that the text begins with.
fn end_of_blank(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        return Some(text.find("*/").map_or(text.len(), |end| end + 2));
    }
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let body = 1 + hashes + 1;
            return Some(text[body..].find(&close).map_or(text.len(), |end| body + end + close.len()));
        }
        return None;
    }
    if text.starts_with('"') {
        return Some(end_of_quoted(text, '"'));
    }
    // A character, not a lifetime: 'x' or '\…'.
    let mut characters = text.strip_prefix('\'')?.char_indices();
    let (_, first) = characters.next()?;
    let (second, quote) = characters.next()?;
    if first == '\\' {
        return Some(end_of_quoted(text, '\''));
    }
    (quote == '\'').then_some(1 + second + 1)
}

fn end_of_quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Where a word stands by itself, not as part of a longer one.
fn occurrences<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let joins = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = code[..*at].chars().next_back().is_some_and(joins);
        let after = code[at + word.len()..].chars().next().is_some_and(joins);
        !(before && word.starts_with(joins) || after && word.ends_with(joins))
    })
}

/// The names that follow a path such as `crate::`, also within braces: `crate::{a::X, b}` gives `a` and `b`.
fn heads(code: &str, path: &str) -> Vec<(usize, String)> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for at in occurrences(code, path) {
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            found.push((at, name(rest)));
            continue;
        };
        let mut depth = 0;
        let mut expected = true;
        for (index, character) in group.char_indices() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => expected = true,
                _ if expected && !character.is_whitespace() => {
                    found.push((at, name(&group[index..])));
                    expected = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let rooms: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    let mut findings = Vec::new();
    for source in program() {
        let Some(room) = source.room() else { continue };
        let Some((_, below)) = ROOMS.iter().find(|(name, _)| *name == room) else {
            findings.push(format!(
                "{}: `{room}` is no room of ours; give it a place in tests/architecture.rs",
                source.path
            ));
            continue;
        };
        let mut used = heads(&source.code, "crate::");
        if source.path == format!("src/{room}/mod.rs") {
            used.extend(heads(&source.code, "super::"));
        }
        for (at, other) in used {
            if rooms.contains(&&*other) && other != room && !below.contains(&&*other) {
                findings.push(format!("{}: `{room}` may not use `{other}`", source.place(at)));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn the_pure_rooms_know_nothing_of_the_world() {
    let mut findings = Vec::new();
    for source in program().iter().filter(|source| source.room().is_some_and(|room| PURE.contains(&room))) {
        for word in WORLD {
            findings.extend(occurrences(source.program(), word).map(|at| format!("{}: `{word}`", source.place(at))));
        }
        for permit in ["clippy::disallowed_methods", "clippy::disallowed_types"] {
            findings.extend(occurrences(&source.code, permit).map(|at| format!("{}: `{permit}`", source.place(at))));
        }
    }
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("the library is there");
    for room in PURE {
        let plain = format!(";\npub mod {room};\n");
        assert!(lib.contains(&plain), "src/lib.rs: `{room}` is missing, or has an attribute; it is permitted nothing");
    }
    assert!(lib.contains("#![deny(clippy::disallowed_methods, clippy::disallowed_types)]"));
    assert_none(&findings);
}

/// Names of a file that are declared as hash tables: `name: HashMap<…`, `let name = HashTable::…`.
fn hash_tables(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["HashMap", "HashSet", "HashTable"] {
        for at in occurrences(code, kind) {
            // Before it, on its line: the name, `:` or `=`, and at most a path or a reference.
            let line = &code[..at][code[..at].rfind('\n').map_or(0, |end| end + 1)..];
            let kept = line.trim_end_matches(|c: char| c.is_alphanumeric() || "_:&".contains(c)).trim_end();
            let kept = kept.strip_suffix("&mut").unwrap_or(kept).trim_end();
            let Some(declared) = kept.strip_suffix(':').or(kept.strip_suffix('=')) else { continue };
            let declared = declared.trim_end();
            let name: String = declared.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            names.push(name.chars().rev().collect());
        }
    }
    names.retain(|name: &String| !name.is_empty());
    names.sort();
    names.dedup();
    names
}

#[test]
fn the_pure_rooms_do_not_iterate_hash_tables() {
    const ITERATES: &[&str] = &[
        "iter()",
        "iter_mut()",
        "keys()",
        "values()",
        "values_mut()",
        "drain()",
        "into_iter()",
        "into_keys()",
        "into_values()",
        "extract_if(",
    ];
    let mut findings = Vec::new();
    for source in program().iter().filter(|source| source.room().is_some_and(|room| PURE.contains(&room))) {
        for name in hash_tables(source.program()) {
            let calls = ITERATES.iter().map(|call| format!("{name}.{call}"));
            let loops = ["in &", "in &mut ", "in &self.", "in &mut self.", "in self.", "in "]
                .map(|start| format!("{start}{name} {{"));
            for shown in calls.chain(loops) {
                for at in occurrences(source.program(), &shown) {
                    findings.push(format!(
                        "{}: `{shown}` iterates a hash table, whose order must not show",
                        source.place(at)
                    ));
                }
            }
        }
    }
    assert_none(&findings);
    let sample = "struct A { known: HashMap<u64, u32>, parts: Vec<HashSet<u8>> }
        let seen = hashbrown::HashSet::new();
        fn f(x: &HashTable<u8>, y: &mut HashMap<u8, u8>) {}";
    assert_eq!(hash_tables(sample), ["known", "seen", "x", "y"]);
}

#[test]
fn no_source_holds_what_is_banned_everywhere() {
    let mut findings = Vec::new();
    for source in program() {
        for (banned, instead) in NOWHERE {
            let found = source.program().match_indices(banned);
            findings.extend(found.map(|(at, _)| format!("{}: `{banned}`: {instead}", source.place(at))));
        }
    }
    let later = [concat!("TO", "DO"), concat!("FIX", "ME")];
    for source in ["src", "tests", "benches", "examples"].into_iter().flat_map(sources) {
        findings.extend(
            source.code.match_indices("#[ignore").map(|(at, _)| format!("{}: an ignored test", source.place(at))),
        );
        for word in later {
            findings.extend(
                occurrences(&source.text, word).map(|_| format!("{}: `{word}`: do it or drop it", source.path)),
            );
        }
    }
    assert_none(&findings);
}

#[test]
fn files_are_short_named_after_what_they_hold_and_say_what_they_are() {
    let mut findings = Vec::new();
    for source in ["src", "tests", "benches"].into_iter().flat_map(sources) {
        let n_lines = source.text.lines().count();
        if n_lines > MAX_LINES {
            findings.push(format!("{}: {n_lines} lines; more than {MAX_LINES} are two concepts", source.path));
        }
        if !source.text.starts_with("//!") {
            findings.push(format!("{}: does not begin with what it is (`//!`)", source.path));
        }
        for name in ["utils", "util", "common", "manager", "helper", "helpers", "misc"] {
            if source.path.split(['/', '.', '_']).any(|part| part == name) {
                findings.push(format!("{}: `{name}` says nothing of what is in it", source.path));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn unsafe_code_stands_in_one_file_of_the_kafka_room() {
    let permits: Vec<String> =
        program().into_iter().filter(|source| source.code.contains("(unsafe_code")).map(|source| source.path).collect();
    assert!(permits.len() <= 1, "unsafe code is permitted in {permits:?}");
    assert!(permits.iter().all(|path| path.starts_with("src/kafka/")), "unsafe code is permitted in {permits:?}");
}

#[test]
fn the_map_names_only_what_is_there_and_every_room() {
    let map = fs::read_to_string(root().join("docs/ARCHITECTURE.md")).expect("the map is there");
    let n_lines = map.lines().count();
    assert!(n_lines < 300, "docs/ARCHITECTURE.md has {n_lines} lines: nobody reads more than 300");
    let mut n_paths = 0;
    for quoted in map.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains('/') && !quoted.contains(' ')) {
        n_paths += usize::from(!quoted.starts_with('/'));
        let there = quoted.starts_with('/') || root().join(quoted).exists();
        assert!(there, "docs/ARCHITECTURE.md names `{quoted}`, which is not there");
    }
    assert!(n_paths > 10, "docs/ARCHITECTURE.md names only {n_paths} paths");
    for source in program() {
        let Some(room) = source.room() else { continue };
        assert!(map.contains(&format!("`src/{room}/`")), "docs/ARCHITECTURE.md does not know `src/{room}/`");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = vec![root().join("README.md"), root().join("CHANGELOG.md"), root().join("data/README.md")];
    files_under(&root().join("docs"), "md", &mut pages);
    let mut findings = Vec::new();
    for page in pages {
        let text = fs::read_to_string(&page).expect("the page is there");
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
        for target in targets.filter(|target| !target.starts_with("http") && !target.starts_with('#')) {
            let file = target.split('#').next().expect("split gives at least one part");
            if !page.parent().expect("a page is in a folder").join(file).exists() {
                findings.push(format!("{}: {target} is not there", page.display()));
            }
        }
    }
    assert_none(&findings);
}

#[test]
fn comments_and_strings_are_blanked_and_nothing_else() {
    let text = "a = \"x // \\\" y\"; // panic!(\nb = 'c'; c: &'a str = r#\"un\"wrap\"#; /* é */ d = '\\'';";
    let code = without_comments_and_strings(text);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), "a = ; b = ; c: &'a str = ; d = ;");
    assert_eq!((code.len(), code.lines().count()), (text.len(), 2));
    assert_eq!(heads("use crate::{engine::Shard, rules::{Plan, plan}, event};", "crate::").len(), 3);
}
