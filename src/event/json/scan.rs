//! A walk over JSON text that copies nothing: members of an object, elements of a list, each value as a slot.
//!
//! It says only whether text is JSON, not what is wrong with it: whoever wants to know asks `serde_json`. It gives up
//! on values nested more than [`MAX_DEPTH`] deep. What always holds, and is tested with mutated messages: what it takes,
//! `serde_json` takes with the same values.

use crate::event::slot::Slot;

const MAX_DEPTH: u32 = 128;

pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub fn new(text: &'a str) -> Scanner<'a> {
        let mut scanner = Scanner { text, at: 0 };
        scanner.space();
        scanner
    }

    /// Whether nothing but space is left.
    pub fn is_at_end(&mut self) -> bool {
        self.space();
        self.at == self.text.len()
    }

    /// Hands over the key and value of each member of an object. `None`: not an object, or not JSON.
    pub fn members<E>(&mut self, mut each: impl FnMut(Slot<'a>, Slot<'a>) -> Result<(), E>) -> Option<Result<(), E>> {
        self.take(b'{')?;
        if self.space() == b'}' {
            self.at += 1;
            return Some(Ok(()));
        }
        loop {
            let key = self.key()?;
            self.space();
            let value = self.value()?;
            if let Err(error) = each(key, value) {
                return Some(Err(error));
            }
            match self.space() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(Ok(()));
                }
                _ => return None,
            }
        }
    }

    /// Calls `each` at the start of every element of a list, to read it. `None`: not a list, or not JSON.
    pub fn elements<E>(&mut self, mut each: impl FnMut(&mut Self) -> Option<Result<(), E>>) -> Option<Result<(), E>> {
        self.take(b'[')?;
        if self.space() == b']' {
            self.at += 1;
            return Some(Ok(()));
        }
        loop {
            self.space();
            if let Err(error) = each(self)? {
                return Some(Err(error));
            }
            match self.space() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(Ok(()));
                }
                _ => return None,
            }
        }
    }

    /// The value that begins here.
    #[inline(always)]
    fn value(&mut self) -> Option<Slot<'a>> {
        match self.byte() {
            b'{' => self.nested().map(Slot::Object),
            b'[' => self.nested().map(Slot::List),
            _ => self.scalar(),
        }
    }

    // Inlined, as `value` is, so that slots are built where they are used: through memory they cost a stall each.
    #[inline(always)]
    fn scalar(&mut self) -> Option<Slot<'a>> {
        match self.byte() {
            b'"' => {
                let (text, has_escapes) = self.string()?;
                Some(if has_escapes { Slot::Escaped(text) } else { Slot::Text(text) })
            }
            b'-' | b'0'..=b'9' => self.number().map(Slot::Number),
            b't' => self.word("true").map(|()| Slot::True),
            b'f' => self.word("false").map(|()| Slot::False),
            b'n' => self.word("null").map(|()| Slot::Absent),
            _ => None,
        }
    }

    /// An object or list as it stands. Walks with a bit for each open bracket instead of calling itself.
    fn nested(&mut self) -> Option<&'a str> {
        let start = self.at;
        let (mut depth, mut objects) = (0, 0_u128);
        loop {
            let opened = self.space();
            if opened == b'{' || opened == b'[' {
                self.at += 1;
                depth += 1;
                objects = objects << 1 | u128::from(opened == b'{');
                let is_empty = matches!((opened, self.space()), (b'{', b'}') | (b'[', b']'));
                if depth > MAX_DEPTH {
                    return None;
                } else if !is_empty {
                    if opened == b'{' {
                        self.key()?;
                    }
                    continue;
                }
            } else {
                self.scalar()?;
            }
            while self.space() == if objects & 1 == 1 { b'}' } else { b']' } {
                self.at += 1;
                depth -= 1;
                objects >>= 1;
                if depth == 0 {
                    return self.text.get(start..self.at);
                }
            }
            self.take(b',')?;
            if objects & 1 == 1 {
                self.key()?;
            }
        }
    }

    /// A member's name and the colon after it.
    #[inline(always)]
    fn key(&mut self) -> Option<Slot<'a>> {
        self.space();
        let (name, has_escapes) = self.string()?;
        self.space();
        self.take(b':')?;
        Some(if has_escapes { Slot::Escaped(name) } else { Slot::Text(name) })
    }

    /// A string's text without its quotes, or with them when it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Option<(&'a str, bool)> {
        self.take(b'"')?;
        let start = self.at;
        self.at += n_plain(&self.text.as_bytes()[start..]);
        if self.byte() == b'"' {
            self.at += 1;
            return Some((self.text.get(start..self.at - 1)?, false));
        }
        self.rest_of_escaped(start).map(|text| (text, true))
    }

    /// A string from its start on, of which the plain beginning is passed.
    #[cold]
    fn rest_of_escaped(&mut self, start: usize) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += escape_len(&bytes[self.at + 1..])? + 1,
                _ => return None,
            }
            self.at += n_plain(&bytes[self.at..]);
        }
        self.at += 1;
        self.text.get(start - 1..self.at)
    }

    fn number(&mut self) -> Option<&'a str> {
        let start = self.at;
        self.at += usize::from(self.byte() == b'-');
        if self.byte() == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.byte(), b'+' | b'-'));
            self.digits()?;
        }
        self.text.get(start..self.at)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.byte().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        let found = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += word.len();
        found.then_some(())
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        let found = self.byte() == byte;
        self.at += 1;
        found.then_some(())
    }

    /// The byte here; 0, which begins and ends nothing, at the end.
    fn byte(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Passes over space; the byte after it.
    fn space(&mut self) -> u8 {
        while matches!(self.byte(), b' ' | b'\n' | b'\t' | b'\r') {
            self.at += 1;
        }
        self.byte()
    }
}

/// How many bytes come before the first quote, backslash or control character. Eight at a time: of a word, the
/// lowest byte that is marked is one of them (bytes above it may be marked by a borrow).
fn n_plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let mut n = 0;
    while let Some(chunk) = bytes[n..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let marked = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let marked = marked & (ONES * 0x80);
        if marked != 0 {
            return n + marked.trailing_zeros() as usize / 8;
        }
        n += 8;
    }
    let rest = &bytes[n..];
    n + rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len())
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
        let mut scanner = Scanner::new(text);
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
