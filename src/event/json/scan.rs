//! A walk over JSON text that copies nothing: members of an object, elements of a list, each value as a slot.
//!
//! It says only whether text is JSON, not what is wrong with it: whoever wants to know asks `serde_json`. It gives up
//! on values nested more than [`MAX_DEPTH`] deep. What always holds, and is tested with mutated messages: what it takes,
//! `serde_json` takes with the same values.

use wide::u8x16;

use crate::event::names::Names;
use crate::event::slot::Slot;

const MAX_DEPTH: u32 = 128;

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// Where a walk stands. What is not inlined works on a copy and says where it ended, so that a walk stays in registers.
#[derive(Clone, Copy)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Where the last block that was looked at begins.
    block: usize,
    /// A bit for each byte of the block at which plain text of a string ends. That one string's end can be looked up
    /// before the string before it has been dealt with is what makes the walk fast.
    ends: u64,
}

/// A member's name.
pub(super) enum Name<'a, T> {
    /// One of those that were asked for.
    Known(T),
    Unknown(&'a str),
    /// In its quotes.
    Escaped(&'a str),
}

impl<'a> Scanner<'a> {
    /// A walk from the first byte from `at` on that is no space.
    #[inline(always)]
    pub fn new(text: &'a str, at: usize) -> Scanner<'a> {
        let mut scanner = Scanner { text, at, block: at, ends: ends_from(text.as_bytes(), at) };
        scanner.space();
        scanner
    }

    #[inline(always)]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes on at `at`.
    #[inline(always)]
    pub fn move_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Whether nothing but space is left.
    #[inline(always)]
    pub fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// Whether an object begins here.
    pub fn is_at_object(&self) -> bool {
        self.byte() == b'{'
    }

    /// Whether a list begins here.
    pub fn is_at_list(&self) -> bool {
        self.byte() == b'['
    }

    /// Calls `each` with the name of every member of an object, at its value, to read that. `None`: not an object, not
    /// JSON, or `each` gave up.
    #[inline(always)]
    pub fn members<T: Copy>(
        &mut self,
        known: &Names<T>,
        mut each: impl FnMut(&mut Self, Name<'a, T>) -> Option<()>,
    ) -> Option<()> {
        self.take(b'{')?;
        if self.space() == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.key(known)?;
            each(self, name)?;
            if !self.goes_on(b'}')? {
                return Some(());
            }
            self.space();
        }
    }

    /// Calls `each` at the start of every element of a list, to read it. `None`: not a list, not JSON, or `each` gave
    /// up.
    #[inline(always)]
    pub fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.take(b'[')?;
        if self.space() == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            each(self)?;
            if !self.goes_on(b']')? {
                return Some(());
            }
            self.space();
        }
    }

    /// Passes a comma, or the end of what is open. `None`: neither.
    #[inline(always)]
    fn goes_on(&mut self, end: u8) -> Option<bool> {
        let byte = self.space();
        self.at += 1;
        if byte == b',' {
            return Some(true);
        }
        (byte == end).then_some(false)
    }

    /// The value that begins here.
    // Inlined, as all that it calls for common values, so that slots are built where they are used: through memory
    // they cost a stall each.
    #[inline(always)]
    pub fn value(&mut self) -> Option<Slot<'a>> {
        match self.byte() {
            b'"' => self.string_value(),
            b'{' => self.up_to(nested_end(self.text, self.at)?).map(Slot::Object),
            b'[' => self.up_to(nested_end(self.text, self.at)?).map(Slot::List),
            first => self.number_or_word(first),
        }
    }

    #[inline(always)]
    fn string_value(&mut self) -> Option<Slot<'a>> {
        match self.string()? {
            (start, true) => self.text.get(start..)?.get(..self.at - start).map(Slot::Escaped),
            (start, false) => self.text.get(start + 1..)?.get(..self.at - start - 2).map(Slot::Text),
        }
    }

    #[inline(always)]
    fn number_or_word(&mut self, first: u8) -> Option<Slot<'a>> {
        match first {
            b'-' | b'0'..=b'9' => self.up_to(number_end(self.text.as_bytes(), self.at)?).map(Slot::Number),
            b't' => self.word("true").map(|()| Slot::True),
            b'f' => self.word("false").map(|()| Slot::False),
            b'n' => self.word("null").map(|()| Slot::Absent),
            _ => None,
        }
    }

    /// Moves to `end`; what was passed.
    #[inline(always)]
    fn up_to(&mut self, end: usize) -> Option<&'a str> {
        let text = self.text.get(self.at..)?.get(..end - self.at);
        self.at = end;
        text
    }

    /// A member's name, and the colon and space after it.
    #[inline(always)]
    fn key<T: Copy>(&mut self, known: &Names<T>) -> Option<Name<'a, T>> {
        let word = word_from(self.text.as_bytes(), self.at);
        if let Some(meaning) = word.and_then(|word| known.find_quoted(word)) {
            // Where the name ends is known by now, but is known sooner this way.
            self.at = self.plain_end(self.at + 1) + 2;
            self.space();
            return Some(Name::Known(meaning));
        }
        let (start, has_escapes) = self.string()?;
        let end = self.at;
        let is_compact = self.byte() == b':';
        if !is_compact {
            self.space();
        }
        self.take(b':')?;
        self.space();
        if has_escapes {
            return Some(Name::Escaped(self.text.get(start..end)?));
        }
        let name = self.text.get(start + 1..end - 1)?;
        let found = if is_compact && word.is_some() { known.find_other(name) } else { known.find(name) };
        Some(found.map_or(Name::Unknown(name), Name::Known))
    }

    fn skip_key(&mut self) -> Option<()> {
        self.string()?;
        self.space();
        self.take(b':')
    }

    /// Passes a string; where its first quote stands, and whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Option<(usize, bool)> {
        let start = self.at;
        self.take(b'"')?;
        self.at = self.plain_end(self.at);
        if self.byte() == b'"' {
            self.at += 1;
            return Some((start, false));
        }
        self.at = escaped_end(self.text.as_bytes(), self.at)?;
        Some((start, true))
    }

    /// Where the first quote, backslash or control character from `at` on stands; the end, if there is none.
    #[inline(always)]
    fn plain_end(&mut self, mut at: usize) -> usize {
        loop {
            let n_passed = at.wrapping_sub(self.block);
            if n_passed < BLOCK {
                let ends = self.ends >> n_passed;
                if ends != 0 {
                    return at + ends.trailing_zeros() as usize;
                }
                at = self.block + BLOCK;
            }
            if at >= self.text.len() {
                return self.text.len();
            }
            self.block = at;
            self.ends = ends_from(self.text.as_bytes(), at);
        }
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.as_bytes().get(self.at..)?.starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    #[inline(always)]
    fn take(&mut self, byte: u8) -> Option<()> {
        let found = self.byte() == byte;
        self.at += 1;
        found.then_some(())
    }

    /// The byte here; 0, which begins and ends nothing, at the end.
    #[inline(always)]
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over space; the byte after it.
    #[inline(always)]
    fn space(&mut self) -> u8 {
        let byte = self.byte();
        if byte > b' ' {
            return byte;
        }
        self.at = space_end(self.text.as_bytes(), self.at);
        self.byte()
    }
}

/// Of the block at `at`, a bit for each byte that is a quote, a backslash or a control character. After the end of a
/// message there are only such.
// Near the end the message's last block is looked at, not a copy of what is left: a copy would have to be waited for.
#[inline(never)]
fn ends_from(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    if let Some(block) = rest.first_chunk() {
        return ends_in(block);
    }
    let past_end = u64::MAX << rest.len();
    match bytes.last_chunk() {
        Some(block) if !rest.is_empty() => ends_in(block) >> (BLOCK - rest.len()) | past_end,
        _ => {
            let mut block = [0; BLOCK];
            block[..rest.len()].copy_from_slice(rest);
            ends_in(&block)
        }
    }
}

/// The sixteen bytes at `at` as a number, the first one lowest; zeros after the end of a message. `None`: the message
/// has fewer.
#[inline(always)]
fn word_from(bytes: &[u8], at: usize) -> Option<u128> {
    let rest = bytes.get(at..)?;
    if let Some(word) = rest.first_chunk() {
        return Some(u128::from_le_bytes(*word));
    }
    let last = bytes.last_chunk().filter(|_| !rest.is_empty())?;
    Some(u128::from_le_bytes(*last) >> (8 * (size_of::<u128>() - rest.len())))
}

#[inline(always)]
fn ends_in(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    parts.iter().rev().fold(0, |ends, part| {
        let bytes = u8x16::new(*part);
        let is_control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
        let is_end = bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\')) | is_control;
        ends << 16 | u64::from(is_end.to_bitmask())
    })
}

#[cold]
fn space_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\t' | b'\r')).unwrap_or(rest.len())
}

/// Where the object or list at `at` ends. Walks with a bit for each open bracket instead of calling itself.
fn nested_end(text: &str, at: usize) -> Option<usize> {
    let mut scanner = Scanner::new(text, at);
    let (mut depth, mut objects) = (0, 0_u128);
    loop {
        let opened = scanner.space();
        if opened == b'{' || opened == b'[' {
            scanner.at += 1;
            depth += 1;
            objects = objects << 1 | u128::from(opened == b'{');
            let is_empty = matches!((opened, scanner.space()), (b'{', b'}') | (b'[', b']'));
            if depth > MAX_DEPTH {
                return None;
            } else if !is_empty {
                if opened == b'{' {
                    scanner.skip_key()?;
                }
                continue;
            }
        } else if opened == b'"' {
            scanner.string()?;
        } else {
            scanner.number_or_word(opened)?;
        }
        while scanner.space() == if objects & 1 == 1 { b'}' } else { b']' } {
            scanner.at += 1;
            depth -= 1;
            objects >>= 1;
            if depth == 0 {
                return Some(scanner.at);
            }
        }
        scanner.take(b',')?;
        if objects & 1 == 1 {
            scanner.space();
            scanner.skip_key()?;
        }
    }
}

/// Where the number at `at` ends.
fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    // One digit or more.
    let digits = |start: usize| {
        let mut at = start;
        while byte(at).is_ascii_digit() {
            at += 1;
        }
        (at > start).then_some(at)
    };
    let mut at = at + usize::from(byte(at) == b'-');
    at = if byte(at) == b'0' { at + 1 } else { digits(at)? };
    if byte(at) == b'.' {
        at = digits(at + 1)?;
    }
    if matches!(byte(at), b'e' | b'E') {
        at = digits(at + 1 + usize::from(matches!(byte(at + 1), b'+' | b'-')))?;
    }
    Some(at)
}

/// How many bytes come before the first quote, backslash or control character; all, if there is none.
fn n_plain(bytes: &[u8]) -> usize {
    bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(bytes.len())
}

/// Where a string ends of which the plain beginning, up to `at`, is passed.
#[cold]
fn escaped_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += escape_len(&bytes[at + 1..])? + 1,
            _ => return None,
        }
        at += n_plain(&bytes[at..]);
    }
}

/// The length of an escape after its backslash.
fn escape_len(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => Some(1),
        [b'u', rest @ ..] => rest.first_chunk::<4>()?.iter().all(u8::is_ascii_hexdigit).then_some(5),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The one value that a text is, if the scanner takes it.
    fn scan(text: &str) -> Option<Slot<'_>> {
        let mut scanner = Scanner::new(text, 0);
        let slot = scanner.value()?;
        scanner.is_at_end().then_some(slot)
    }

    #[test]
    fn a_value_is_what_stands_there() {
        for (text, slot) in [
            (" null ", Slot::Absent),
            ("true", Slot::True),
            ("-0.5e+10", Slot::Number("-0.5e+10")),
            ("\"\"", Slot::Text("")),
            ("\t\"a longer text, ö\u{7f}\"\n", Slot::Text("a longer text, ö\u{7f}")),
            (r#""12345678\"\u00e4""#, Slot::Escaped(r#""12345678\"\u00e4""#)),
            (r#" [ 1 , {"a" : [ ] , "b":{ } } , [[]] ] "#, Slot::List(r#"[ 1 , {"a" : [ ] , "b":{ } } , [[]] ]"#)),
            (r#"{"a":{"b":"}"},"c":null}"#, Slot::Object(r#"{"a":{"b":"}"},"c":null}"#)),
        ] {
            assert_eq!(scan(text), Some(slot), "{text}");
        }
    }

    #[test]
    fn it_gives_up_on_what_is_nested_too_deep() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(scan(&nested(128)).is_some());
        assert_eq!(scan(&nested(129)), None);
    }

    /// Texts of pieces that JSON is made of, mostly wrong.
    fn almost_json() -> impl Strategy<Value = String> {
        let pieces = [
            "{",
            "}",
            "[",
            "]",
            "{}",
            "[]",
            ",",
            ":",
            "\"a\"",
            "\"a\":",
            "\"",
            "\\",
            "\\n",
            "\\u00e4",
            "\\ud800",
            "\\x",
            "0",
            "1",
            "-",
            "-1",
            "01",
            ".5",
            "1.5",
            "1.",
            "e",
            "1e5",
            "E+",
            "true",
            "false",
            "null",
            "nul",
            " ",
            "\n",
            "\u{0}",
            "\u{1f}",
            "\u{a0}",
            "ö",
            "\"12345678\"",
            "NaN",
            "/*",
            "'",
        ];
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

        #[test]
        fn it_takes_what_serde_json_takes(text in almost_json(), wrapped in any::<bool>()) {
            let text = if wrapped { format!("[{text}]") } else { text };
            let expected: Option<&serde_json::value::RawValue> = serde_json::from_str(&text).ok();
            prop_assert_eq!(scan(&text), expected.map(|raw| Slot::of_json(raw.get())), "{}", text);
        }
    }
}
