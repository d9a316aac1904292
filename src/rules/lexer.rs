//! An expression's text as tokens. Stops at the first that is none.

use super::diagnostic::{Code, Fault};
use super::place::Extent;
use super::plan::Relation;
use super::units::parse_number;
use crate::event::Amount;

#[derive(Debug, Clone, PartialEq)]
pub enum Token<'a> {
    Number(Amount),
    Text(Box<str>),
    Name(&'a str),
    Relation(Relation),
    And,
    Or,
    Not,
    Plus,
    Minus,
    Star,
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Dot,
    End,
}

/// All tokens with their places; the last is [`Token::End`].
pub fn tokens(text: &str) -> Result<Vec<(Token<'_>, Extent)>, Fault> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.token()?;
        let end = token == Token::End;
        tokens.push((token, Extent::new(start, lexer.at)));
        if end {
            return Ok(tokens);
        }
    }
}

/// The string that begins with the quote at `at`, and where it ends.
pub fn quoted_at(text: &str, at: usize) -> Result<(Box<str>, usize), Fault> {
    let mut lexer = Lexer { text, at };
    match lexer.token()? {
        Token::Text(found) => Ok((found, lexer.at)),
        _ => unreachable!("a quote stands at `at`"),
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    /// White space, and CEL's comments: `//` to the end of the line.
    fn skip_blank(&mut self) {
        loop {
            self.take_while(|c| c.is_ascii_whitespace());
            if !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token<'a>, Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        match first {
            '"' | '\'' => self.quoted(first),
            '0'..='9' => self.number(),
            '.' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            'a'..='z' | 'A'..='Z' | '_' => Ok(Token::Name(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))),
            _ => self.symbol(first),
        }
    }

    fn symbol(&mut self, first: char) -> Result<Token<'a>, Fault> {
        const SYMBOLS: [(&str, Token<'static>); 18] = [
            ("&&", Token::And),
            ("||", Token::Or),
            ("==", Token::Relation(Relation::Equal)),
            ("!=", Token::Relation(Relation::NotEqual)),
            ("<=", Token::Relation(Relation::LessOrEqual)),
            (">=", Token::Relation(Relation::GreaterOrEqual)),
            ("<", Token::Relation(Relation::Less)),
            (">", Token::Relation(Relation::Greater)),
            ("!", Token::Not),
            ("+", Token::Plus),
            ("-", Token::Minus),
            ("*", Token::Star),
            ("(", Token::Open),
            (")", Token::Close),
            ("[", Token::OpenList),
            ("]", Token::CloseList),
            (",", Token::Comma),
            (".", Token::Dot),
        ];
        match SYMBOLS.iter().find(|(symbol, _)| self.rest().starts_with(symbol)) {
            Some((symbol, token)) => {
                self.at += symbol.len();
                Ok(token.clone())
            }
            None => Err(unknown_symbol(first, Extent::new(self.at, self.at + first.len_utf8()))),
        }
    }

    fn number(&mut self) -> Result<Token<'a>, Fault> {
        let start = self.at;
        let written = self.take_while(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let extent = Extent::new(start, self.at);
        parse_number(written).map(Token::Number).map_err(|why| {
            let fault = Fault::new(Code::BadNumber, extent, format!("`{written}` is not a number of the rules"));
            let unit = written.trim_start_matches(|c: char| c.is_ascii_digit());
            if matches!(unit, "ms" | "s" | "m" | "h" | "d" | "w") {
                fault.help(format!("a duration is written `duration(\"{written}\")`"))
            } else {
                fault.help(why.explain())
            }
        })
    }

    fn quoted(&mut self, quote: char) -> Result<Token<'a>, Fault> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\' && c != '\n'));
            match self.rest().chars().next() {
                Some('\\') => text.push(self.escape()?),
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(Token::Text(text.into()));
                }
                _ => {
                    return Err(Fault::new(Code::BadText, Extent::new(start, self.at), "a string that does not end")
                        .label("starts here")
                        .help(format!("close it with {quote}")));
                }
            }
        }
    }

    /// CEL's escapes; the lexer stands at the backslash.
    fn escape(&mut self) -> Result<char, Fault> {
        let start = self.at;
        let letter = self.text[start + 1..].chars().next();
        let simple = match letter {
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('v') => Some('\u{b}'),
            Some(c @ ('\\' | '"' | '\'' | '`' | '?')) => Some(c),
            _ => None,
        };
        let (skipped, len, radix) = match letter {
            Some('x' | 'X') => (2, 2, 16),
            Some('u') => (2, 4, 16),
            Some('U') => (2, 8, 16),
            Some('0'..='3') => (1, 3, 8),
            _ => (2, 0, 16),
        };
        let digits = self.text.get(start + skipped..start + skipped + len).unwrap_or("");
        let code = digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, radix));
        let escaped = simple.or(code.and_then(Result::ok).and_then(char::from_u32));
        let end = start + 1 + letter.map_or(0, char::len_utf8);
        self.at = if simple.is_some() { end } else { start + skipped + len };
        escaped.ok_or_else(|| {
            Fault::new(Code::BadText, Extent::new(start, end), "an escape that no string has")
                .help(r#"escapes are \\ \" \' \n \r \t and \u00e9; a backslash itself is \\"#)
        })
    }
}

fn unknown_symbol(symbol: char, extent: Extent) -> Fault {
    let help = match symbol {
        '&' => "write `&&` for and",
        '|' => "write `||` for or",
        '=' => "write `==` to compare",
        '/' => "multiply the other side instead: `a >= 0.5 * b`",
        '%' => "rules have no remainder",
        '?' | ':' => "write one segment for each case instead of `? :`",
        '{' | '}' | ';' => "a rule is one condition, such as `purchase.count(\"30d\") >= 4`",
        '“' | '”' | '„' | '‘' | '’' => "strings stand in straight quotes: `\"DE\"`",
        _ => "rules are made of names, numbers, strings and `&& || ! == != < <= > >= + - * in ( )`",
    };
    let shown = if symbol.is_control() { symbol.escape_default().to_string() } else { symbol.to_string() };
    Fault::new(Code::NotInLanguage, extent, format!("`{shown}` does not belong to the language of rules")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(written: &str) -> Option<String> {
        match tokens(written).ok()?.into_iter().next()?.0 {
            Token::Text(text) => Some(text.into()),
            _ => None,
        }
    }

    #[test]
    fn strings() {
        assert_eq!(text(r#""it's""#).as_deref(), Some("it's"));
        assert_eq!(text(r#"'say "x"'"#).as_deref(), Some("say \"x\""));
        assert_eq!(text(r#""\u00e9\x41\101\n\\\"\U0001F600""#).as_deref(), Some("éAA\n\\\"😀"));
        for wrong in [r#""\q""#, r#""\u12""#, r#""\ud800""#, r#""\u+123""#, "\"abc", "\"abc\\", "\"a\nb\"", r#""\xé""#]
        {
            assert_eq!(text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn comments_and_blanks_are_skipped() {
        let found: Vec<_> = tokens("a // b\n\t+ 1").expect("fine").into_iter().map(|(token, _)| token).collect();
        assert_eq!(found, [Token::Name("a"), Token::Plus, Token::Number(Amount(10_000)), Token::End]);
    }
}
