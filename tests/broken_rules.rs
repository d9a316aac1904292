//! Broken rules files: whatever is done to a good one, loading it never panics, and what is refused is refused with
//! a place inside the file. The mutations are a function of the seed, which a failure names.

mod listing;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use dormouse::cli::diagnostics::draw_all;
use dormouse::config::rules::{load, load_text};
use dormouse::rules::diagnostic::Diagnostic;
use expect_test::expect;
use listing::case_folders;

/// Every rules file that comes with the project, in order.
fn good_files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<PathBuf> = case_folders().iter().map(|folder| folder.join("segments.toml")).collect();
    files.push(root.join("config/segments.toml"));
    files.sort();
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a rules file can be read")
}

/// A generator of the xorshift family.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// The text in pieces: words, numbers, single other characters.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for c in text.chars() {
        match pieces.last_mut() {
            Some(last) if is_word(c) && last.chars().all(is_word) => last.push(c),
            _ => pieces.push(c.to_string()),
        }
    }
    pieces
}

const STRANGE: [&str; 24] = [
    "(",
    ")",
    "[",
    "]",
    "\"",
    "'",
    "'''",
    "\"\"\"",
    "\\",
    "\\u12",
    "\0",
    "é",
    "=",
    "&&",
    "* *",
    "99999999999999999999",
    "1e9",
    "where",
    "segment.",
    "duration(\"1y\")",
    "profile.a == profile.b",
    "-",
    "!",
    "\n",
];

fn mutated(text: &str, chance: &mut Chance) -> String {
    let mut pieces = pieces(text);
    for _ in 0..=chance.below(3) {
        let (at, other) = (chance.below(pieces.len()), chance.below(pieces.len()));
        match chance.below(7) {
            0 => drop(pieces.remove(at)),
            1 => pieces.swap(at, other),
            2 => pieces.insert(at, chance.pick(&STRANGE).to_string()),
            3 => pieces[at] = pieces[other].clone(),
            4 => pieces.insert(at, pieces[other].clone()),
            5 => pieces.truncate(at + 1),
            _ => {
                let mut letters: Vec<char> = pieces[at].chars().collect();
                let n = letters.len();
                letters.swap(chance.below(n), n - 1);
                letters.push('x');
                pieces[at] = letters.into_iter().collect();
            }
        }
    }
    pieces.concat()
}

/// Each stands where something is, and can be drawn.
fn assert_places(text: &str, diagnostics: &[Diagnostic]) {
    for diagnostic in diagnostics {
        let places = diagnostic.related.iter().map(|(place, _)| place).chain([&diagnostic.place]);
        for place in places {
            assert_eq!(&*place.file.text, text);
            assert!(place.file.text.get(place.span.clone()).is_some(), "{diagnostic:?}");
        }
        assert!(!diagnostic.title.is_empty());
    }
    let drawn = draw_all(diagnostics, false);
    assert!(diagnostics.iter().all(|one| drawn.contains(one.code.number())));
}

#[test]
fn every_good_file_loads() {
    let files = good_files();
    assert!(files.len() > 400, "only {} rules files were found", files.len());
    for path in files {
        if let Err(diagnostics) = load(&path) {
            unreachable!("{}\n{}", path.display(), draw_all(&diagnostics, false));
        }
    }
}

#[test]
fn broken_files_are_refused_with_their_places() {
    let files: Vec<String> = good_files().iter().map(|path| read(path)).collect();
    let (mut n_refused, mut n_taken) = (0, 0);
    for seed in 1..=1_500_u64 {
        let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let text = mutated(&files[chance.below(files.len())], &mut chance);
        let outcome = std::panic::catch_unwind(|| match load_text("segments.toml", &text) {
            Ok(loaded) => {
                assert!(!loaded.warnings.iter().any(Diagnostic::is_error));
                assert_places(&text, &loaded.warnings);
                true
            }
            Err(diagnostics) => {
                assert!(diagnostics.iter().any(Diagnostic::is_error));
                assert_places(&text, &diagnostics);
                false
            }
        });
        match outcome {
            Ok(true) => n_taken += 1,
            Ok(false) => n_refused += 1,
            Err(_) => unreachable!("seed {seed}:\n{text}"),
        }
    }
    assert!(n_refused > 800, "only {n_refused} of {} mutations broke something", n_refused + n_taken);
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in proptest::prelude::any::<String>(), when in "[a-z0-9(){}.,\"'!&|<>=*+ -]{0,60}") {
        for text in [text, judged(&when), format!("[[dimension]]\nname = \"d\"\n{when}")] {
            match load_text("segments.toml", &text) {
                Ok(loaded) => assert_places(&text, &loaded.warnings),
                Err(diagnostics) => assert_places(&text, &diagnostics),
            }
        }
    }
}

/// The codes and lines that a file is refused with.
fn codes(text: &str) -> String {
    let diagnostics = load_text("segments.toml", text).expect_err("it is broken");
    assert_places(text, &diagnostics);
    let mut codes = String::new();
    for one in &diagnostics {
        let there: String = one.place.file.text[one.place.span.clone()].chars().take(24).collect();
        writeln!(codes, "{} {} `{there}` {}", one.code.number(), one.place.line(), one.title)
            .expect("writing to a string does not fail");
    }
    codes
}

fn judged(when: &str) -> String {
    format!("[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = '''{when}'''\n")
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let refused = |path: &Path| {
        let diagnostics = load(path).expect_err("it cannot be read");
        assert_eq!(diagnostics.len(), 1);
        assert!(draw_all(&diagnostics, false).contains("segments.toml"));
        diagnostics[0].code.number()
    };
    let path = folder.path().join("segments.toml");
    assert_eq!(refused(&path), "E0101");
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("written");
    assert_eq!(refused(&path), "E0102");
    std::fs::write(&path, b"timezone = \"\xff\"").expect("written");
    assert_eq!(refused(&path), "E0103");
}

#[test]
fn hostile_depth_and_length_are_refused() {
    for (open, middle, close) in
        [("(", "true", ")"), ("!", "true", ""), ("-", "1", ""), ("[", "1", "]"), ("has(", "1", ")")]
    {
        let nested = format!("{}{middle}{}", open.repeat(20_000), close.repeat(20_000));
        assert!(codes(&judged(&nested)).contains("E0304"), "{open}");
    }
    assert!(codes(&judged(&format!("a{}", ".b".repeat(20_000)))).contains("E0304"));
    assert!(codes(&judged(&"true && ".repeat(20_000))).contains("E0304"));
    // Long chains within the limit are fine: depth is nesting, not length.
    let chain = vec!["purchase.count() >= 1"; 2_000].join(" && ");
    assert!(load_text("segments.toml", &judged(&chain)).is_ok());
    let sum = format!("{} > 1", vec!["purchase.count()"; 2_000].join(" + "));
    assert!(load_text("segments.toml", &judged(&sum)).is_ok());
    assert!(codes(&format!("a = {}", "[".repeat(50_000))).contains("E0103"));
}

#[test]
fn there_may_be_250_of_a_sort() {
    let segments = |n: usize| {
        let one = |index: usize| {
            format!("[[dimension.segment]]\nname = \"s{index}\"\nwhen = 'purchase.count() == {}'\n", index + 1)
        };
        format!("[[dimension]]\nname = \"d\"\n{}", (0..n).map(one).collect::<String>())
    };
    assert!(load_text("segments.toml", &segments(250)).is_ok());
    assert_eq!(codes(&segments(251)), "E0110 753 `[[dimension.segment]]` 251 segments\n");
    let kinds = |n: usize| (0..n).map(|index| format!("[kind.k{index}]\n")).collect::<String>() + &judged("true");
    assert!(load_text("segments.toml", &kinds(200)).is_ok());
    assert!(codes(&kinds(251)).contains("E0110"));
}

#[test]
fn a_flood_of_errors_is_cut_short() {
    let many = judged(&vec!["x > 1"; 5_000].join(" || "));
    let diagnostics = load_text("segments.toml", &many).expect_err("it is broken");
    assert_eq!(diagnostics.len(), 201);
    assert_eq!(&*diagnostics[200].title, "and 4800 more");
}

#[test]
fn all_errors_of_a_file_are_found_at_once() {
    let text = r#"
timezone = "Europe/Belin"
[kind.browse]
resolution = "7h"
[score.a]
of = 'score.a'
cuts = [2, 1]
[[dimension]]
name = "d"
[[dimension.segment]]
name = ""
when = 'purchase.cont("30d") > 1 && purchase.sum() > duration("1d") && profile.x < "a"'
stay = "purchase.count(\"0d\") > 1 &&\t segment.d == \"x\""
from = ["y"]
[[dimension.segment]]
name = "t"
when = 'segment.d == "t" || purchase.where(shop == 1 && rating == "a").count() > 1'
min_stay = "1"
lable = "T"
[[dimension]]
name = "d"
segment = []
"#;
    expect![[r#"
        E0203 2 `"Europe/Belin"` no time zone `Europe/Belin`
        E0202 4 `"7h"` 7h does not divide a day
        E0210 5 `a` the score `a` reads itself
        E0208 7 `1` the cuts of `a` do not ascend
        E0109 11 `""` no segment may be named ""
        E0402 12 `cont` `purchase` has no feature `cont`
        E0501 12 `duration("1d")` a number compared with a duration
        E0502 12 `profile.x < "a"` `<` between strings
        E0505 13 `\"0d\"` a window of zero length
        E0404 13 `\"x\"` dimension `d` has no segment `x`
        E0207 14 `"y"` dimension `d` has no segment `y`
        E0507 17 `d` dimension `d` reads itself in `when`
        E0406 17 `shop` events have no field `shop`
        E0501 17 `"a"` `rating` is a number, not a string
        E0201 18 `"1"` `min_stay` is no duration
        E0104 19 `lable` [[dimension.segment]] has no setting `lable`
        E0107 20 `[[dimension]]` dimension `d` has no segment
        E0108 21 `"d"` a second dimension `d`
    "#]]
    .assert_eq(&codes(text));
}

#[test]
fn what_a_broken_part_hides_is_not_guessed() {
    expect![[r#"
        E0103 1 `EUR` not TOML: string values must be quoted, expected literal string
        E0201 6 `"x"` "x" is not a duration
        E0103 8 `` not TOML: unclosed table, expected `]`
    "#]].assert_eq(&codes("currency = EUR\n[[dimension]]\nname = \"d\"\n[[dimension.segment]]\nname = \"s\"\nwhen = 'purchase.count(\"x\") > 1'\nstay = 'a'\n[x"));
}
