//! Where something stands: a file of the configuration, a span of its bytes, and texts cut out of it (a condition
//! inside a TOML string) that still know where each of their bytes came from. Reads no files itself.

use std::ops::Range;
use std::sync::Arc;

/// A file as it was read. The path is for people.
#[derive(Debug, PartialEq, Eq)]
pub struct SourceFile {
    pub path: Box<str>,
    pub text: Box<str>,
}

impl SourceFile {
    pub fn new(path: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Arc<SourceFile> {
        Arc::new(SourceFile { path: path.into(), text: text.into() })
    }
}

/// A span of bytes of a file; it always lies within the file and on character boundaries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<SourceFile>,
    pub span: Range<usize>,
}

impl Place {
    /// The place of `span`, moved onto character boundaries inside the file.
    pub fn new(file: &Arc<SourceFile>, span: Range<usize>) -> Place {
        let start = floor_boundary(&file.text, span.start);
        let end = ceil_boundary(&file.text, span.end.max(start));
        Place { file: file.clone(), span: start..end }
    }

    /// The first line, from 1.
    pub fn line(&self) -> usize {
        1 + self.file.text[..self.span.start].bytes().filter(|byte| *byte == b'\n').count()
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

/// A span of bytes of an expression's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub start: usize,
    pub end: usize,
}

impl Extent {
    pub fn new(start: usize, end: usize) -> Extent {
        Extent { start, end }
    }

    /// From the start of this one to the end of the other.
    pub fn to(self, other: Extent) -> Extent {
        Extent { start: self.start, end: other.end }
    }
}

/// A text cut out of a file, quotes gone and escapes resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    text: Box<str>,
    file: Arc<SourceFile>,
    /// With its quotes.
    span: Range<usize>,
    offsets: Offsets,
}

/// From bytes of the text to bytes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Offsets {
    /// The text stands in the file as it is, from here on.
    Plain(usize),
    /// One for each byte of the text, and one for its end.
    Mapped(Vec<u32>),
}

impl Excerpt {
    /// `text` is what the TOML string at `span` (quotes included) means.
    pub fn of_toml_string(file: &Arc<SourceFile>, span: Range<usize>, text: &str) -> Excerpt {
        let raw = file.text.get(span.clone()).unwrap_or("");
        let quotes = opening_len(raw);
        let inner = raw.get(quotes..raw.len().saturating_sub(quotes.min(3))).unwrap_or("");
        let offsets = if inner == text {
            Offsets::Plain(span.start + quotes)
        } else {
            Offsets::Mapped(map_offsets(raw, quotes, text, span.start))
        };
        Excerpt { text: text.into(), file: file.clone(), span, offsets }
    }

    /// Nothing, where something should stand: at `place`.
    pub fn missing(place: Place) -> Excerpt {
        Excerpt { text: "".into(), file: place.file, offsets: Offsets::Plain(place.span.start), span: place.span }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// All of it, with its quotes.
    pub fn whole(&self) -> Place {
        Place::new(&self.file, self.span.clone())
    }

    /// The part at `extent` of the text.
    pub fn place(&self, extent: Extent) -> Place {
        Place::new(&self.file, self.offset(extent.start)..self.offset(extent.end))
    }

    fn offset(&self, at: usize) -> usize {
        match &self.offsets {
            Offsets::Plain(start) => start + at,
            Offsets::Mapped(offsets) => {
                offsets.get(at).or(offsets.last()).map_or(self.span.start, |offset| *offset as usize)
            }
        }
    }
}

/// How many bytes open the string: its quotes, and the line break that follows three of them. 0 for a bare key.
fn opening_len(raw: &str) -> usize {
    for quotes in ["\"\"\"", "'''"] {
        if let Some(rest) = raw.strip_prefix(quotes) {
            return match rest.as_bytes() {
                [b'\n', ..] => 4,
                [b'\r', b'\n', ..] => 5,
                _ => 3,
            };
        }
    }
    usize::from(raw.starts_with(['"', '\'']))
}

/// Walks the string as written (`raw`) and what it means (`text`) side by side.
fn map_offsets(raw: &str, opening: usize, text: &str, start: usize) -> Vec<u32> {
    let literal = raw.starts_with('\'');
    let bytes = raw.as_bytes();
    let mut offsets = Vec::with_capacity(text.len() + 1);
    let mut at = opening;
    for meant in text.chars() {
        while !literal && at < bytes.len() && bytes[at] == b'\\' && continues_line(&bytes[at + 1..]) {
            at += 1 + bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        }
        if meant == '\n' && bytes.get(at) == Some(&b'\r') {
            at += 1;
        }
        offsets.extend(std::iter::repeat_n((start + at) as u32, meant.len_utf8()));
        at += if !literal && bytes.get(at) == Some(&b'\\') { escape_len(&bytes[at..]) } else { meant.len_utf8() };
        at = at.min(bytes.len());
    }
    offsets.push((start + at) as u32);
    offsets
}

/// A backslash before a line break joins lines.
fn continues_line(after: &[u8]) -> bool {
    after.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r')) == Some(&b'\n')
}

fn escape_len(escape: &[u8]) -> usize {
    match escape.get(1) {
        Some(b'x') => 4,
        Some(b'u') => 6,
        Some(b'U') => 10,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands in the file where `part` stands in the meaning of the only string of `toml`.
    fn seen(toml: &str, part: &str) -> String {
        let table: toml::Table = toml.parse().expect("valid TOML");
        let text = table["x"].as_str().expect("a string").to_string();
        let file = SourceFile::new("x.toml", toml);
        let span = toml.find(['"', '\'']).expect("a quote")..toml.trim_end().len();
        let excerpt = Excerpt::of_toml_string(&file, span, &text);
        let start = text.find(part).expect("the part is in the text");
        file.text[excerpt.place(Extent::new(start, start + part.len())).span].to_string()
    }

    #[test]
    fn places_survive_quotes_and_escapes() {
        assert_eq!(seen("x = 'a > 4'", "> 4"), "> 4");
        assert_eq!(seen(r#"x = "has(\"30d\") > 4""#, "30d"), "30d");
        assert_eq!(seen(r#"x = "a == \"\u00e9t\u00e9\" > 4""#, "> 4"), "> 4");
        assert_eq!(seen(r#"x = "a == \"\u00e9t\u00e9\" > 4""#, "t"), "t");
        assert_eq!(seen("x = \"\"\"\na \\\n    > 4 \\\" b\"\"\"", "> 4"), "> 4");
        assert_eq!(seen("x = \"\"\"\r\na\r\n> \\\"4\"\"\"", "4"), "4");
        assert_eq!(seen("x = '''\na\n> 4'''", "> 4"), "> 4");
        assert_eq!(seen("x = \"\"\"é\\t> 4\"\"\"", "> 4"), "> 4");
    }

    #[test]
    fn a_place_stays_inside_its_file() {
        let file = SourceFile::new("x", "é");
        assert_eq!(Place::new(&file, 1..9).span, 0..2);
        assert_eq!(Place::new(&file, Range { start: 7, end: 3 }).span, 2..2);
    }
}
