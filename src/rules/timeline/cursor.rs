//! One line of a timeline, read from left to right: blanks, comments, words, strings in quotes. Knows no meaning.

use crate::rules::diagnostic::{Code, Fault};
use crate::rules::lexer::quoted_at;
use crate::rules::place::Extent;

/// A word or a string, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    pub text: Box<str>,
    pub extent: Extent,
    /// In quotes it is never a word of the language.
    pub quoted: bool,
}

impl Word {
    /// This word of the language.
    pub fn is(&self, word: &str) -> bool {
        !self.quoted && *self.text == *word
    }
}

/// Where reading stands in a line.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    /// The whole timeline: extents are of it.
    text: &'a str,
    at: usize,
    end: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str, line: Extent) -> Cursor<'a> {
        Cursor { text, at: line.start, end: line.end }
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.at..self.end]
    }

    /// Skips blanks, and a comment: `#` at the start of the line or after a blank.
    pub fn skip_blank(&mut self) {
        let before = self.at;
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
        let starts_a_word = before < self.at || before == 0 || self.text[..before].ends_with(char::is_whitespace);
        if starts_a_word && self.rest().starts_with('#') {
            self.at = self.end;
        }
    }

    /// Whether nothing but blanks and a comment is left.
    pub fn is_at_end(&mut self) -> bool {
        self.skip_blank();
        self.at == self.end
    }

    /// What stands here, of length `len`.
    pub fn extent(&self, len: usize) -> Extent {
        Extent::new(self.at, (self.at + len).min(self.end))
    }

    pub fn position(&self) -> usize {
        self.at
    }

    /// The last byte that is no blank, among those that were read.
    pub fn end_of_read(&self) -> usize {
        self.text[..self.at].trim_end().len()
    }

    /// The text at an extent.
    pub fn text(&self, extent: Extent) -> &'a str {
        &self.text[extent.start..extent.end]
    }

    /// Takes a sign when it stands here.
    pub fn takes(&mut self, sign: &str) -> bool {
        self.skip_blank();
        let taken = self.rest().starts_with(sign);
        if taken {
            self.at += sign.len();
        }
        taken
    }

    /// The next word when it is this one.
    pub fn takes_word(&mut self, word: &str) -> bool {
        self.skip_blank();
        let mut ahead = self.clone();
        let taken = matches!(ahead.name(), Ok(Some(found)) if found.is(word));
        if taken {
            *self = ahead;
        }
        taken
    }

    /// Everything up to the next blank or comma.
    pub fn chunk(&mut self) -> (&'a str, Extent) {
        self.skip_blank();
        self.take_until(|c| c.is_whitespace() || c == ',')
    }

    fn take_until(&mut self, stops: impl Fn(char) -> bool) -> (&'a str, Extent) {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(stops).unwrap_or(rest.len());
        (&self.text[start..self.at], Extent::new(start, self.at))
    }

    /// A name: a string in quotes, or a word that ends before a blank or a sign. `None`: a sign stands here, or nothing.
    pub fn name(&mut self) -> Result<Option<Word>, Fault> {
        self.skip_blank();
        if self.rest().starts_with(['"', '\'']) {
            return self.quoted().map(Some);
        }
        let start = self.at;
        let rest = self.rest();
        let ends_here = |(at, c): (usize, char)| {
            let pair = rest[at..].starts_with("->") || rest[at..].starts_with("!=");
            c.is_whitespace() || matches!(c, ',' | ';' | '=' | ':' | '"' | '\'') || pair
        };
        let len = rest.char_indices().find(|here| ends_here(*here)).map_or(rest.len(), |(at, _)| at);
        self.at += len;
        let extent = Extent::new(start, self.at);
        Ok((len > 0).then(|| Word { text: rest[..len].into(), extent, quoted: false }))
    }

    /// A value right here: a string in quotes, or everything up to a blank, `,` or `;`, which may be nothing.
    pub fn value(&mut self) -> Result<Word, Fault> {
        if self.rest().starts_with(['"', '\'']) {
            return self.quoted();
        }
        let (text, extent) = self.take_until(|c| c.is_whitespace() || matches!(c, ',' | ';'));
        Ok(Word { text: text.into(), extent, quoted: false })
    }

    fn quoted(&mut self) -> Result<Word, Fault> {
        let start = self.at;
        // A string ends on its line.
        let (text, end) = quoted_at(&self.text[..self.end], start)?;
        self.at = end;
        Ok(Word { text, extent: Extent::new(start, end), quoted: true })
    }

    /// That something else stands here than should, or nothing.
    pub fn unexpected(&mut self, expected: &str) -> Fault {
        self.skip_blank();
        let mut ahead = self.clone();
        let (title, extent) = match (ahead.name(), self.rest().chars().next()) {
            (Ok(Some(word)), _) => (format!("`{}` does not belong here", self.text(word.extent)), word.extent),
            (_, Some(sign)) => (format!("`{sign}` does not belong here"), self.extent(sign.len_utf8())),
            (_, None) => {
                let end = self.end_of_read();
                ("the line ends too early".to_owned(), Extent::new(end, end))
            }
        };
        Fault::new(Code::BadLine, extent, title).label(format!("expected {expected}"))
    }
}
