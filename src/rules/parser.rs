//! Tokens to an expression tree. Looks up no names. Depth and length are bounded, so that no text can exhaust the
//! stack; the first thing that cannot be read ends the expression.
//!
//! The grammar is CEL's: `||` binds least, then `&&`, then one comparison or `in`, then `+ -`, then `*`, then the
//! signs `! -`, then `.name`, `(…)`.

use super::ast::{Expr, Node, Word};
use super::diagnostic::{Code, Fault};
use super::lexer::{Token, tokens};
use super::place::Extent;

/// How deep expressions may nest.
pub const DEPTH_MAX: usize = 64;
/// How long an expression may be.
pub const BYTES_MAX: usize = 65_536;

/// Reads one expression; all of `text` belongs to it.
pub fn parse(text: &str) -> Result<Expr, Fault> {
    if text.len() > BYTES_MAX {
        let title = format!("an expression of {} bytes", text.len());
        return Err(Fault::new(Code::TooDeep, Extent::new(0, text.len()), title)
            .help(format!("an expression has at most {BYTES_MAX} bytes")));
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let expr = parser.any()?;
    match parser.peek() {
        Token::End => Ok(expr),
        _ => Err(parser.unexpected("an operator such as `&&`, or the end")),
    }
}

struct Parser<'a> {
    tokens: Vec<(Token<'a>, Extent)>,
    at: usize,
    depth: usize,
}

type Parsed = Result<Expr, Fault>;

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at].0
    }

    fn extent(&self) -> Extent {
        self.tokens[self.at].1
    }

    /// Goes on; the end stays.
    fn next(&mut self) -> (Token<'a>, Extent) {
        let token = self.tokens[self.at].clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn eat(&mut self, token: &Token<'_>) -> bool {
        let there = self.peek() == token;
        if there {
            self.next();
        }
        there
    }

    fn unexpected(&self, expected: &str) -> Fault {
        let (token, extent) = &self.tokens[self.at];
        let title = match token {
            Token::End if self.tokens.len() == 1 => "an empty expression".to_string(),
            Token::End => "the expression ends too early".to_string(),
            Token::Text(_) => "a string where none can stand".to_string(),
            Token::Number(number) => format!("the number {number} where none can stand"),
            Token::Name(name) => format!("`{name}` where no name can stand"),
            other => format!("`{}` where it cannot stand", spelling(other)),
        };
        let fault = Fault::new(Code::Unexpected, *extent, title).label(format!("expected {expected}"));
        match self.slip() {
            Some(help) => fault.help(help),
            None => fault,
        }
    }

    /// What somebody may have meant who is used to writing it otherwise.
    fn slip(&self) -> Option<&'static str> {
        let token = |at: usize| self.tokens.get(at).map(|(token, _)| token);
        let before = self.at.checked_sub(1).and_then(token);
        match (before, self.peek(), token(self.at + 1)) {
            (_, Token::Name("and" | "AND"), _) => Some("write `&&` for and"),
            (_, Token::Name("or" | "OR"), _) => Some("write `||` for or"),
            (Some(Token::Name("not" | "NOT")), Token::Name(_), _) => Some("write `!` for not"),
            (Some(Token::Number(_)), Token::Comma, Some(Token::Number(_))) => {
                Some("write numbers without a comma, and with a point where there are decimals: `1500`, `19.90`")
            }
            _ => None,
        }
    }

    fn expect(&mut self, token: &Token<'_>, opened: Extent, what: &str) -> Result<Extent, Fault> {
        let extent = self.extent();
        if self.eat(token) {
            return Ok(extent);
        }
        let fault = self.unexpected(&format!("`{}`", spelling(token))).related(opened, format!("{what} opens here"));
        if fault.help.is_some() {
            return Err(fault);
        }
        Err(fault.help(format!("close it with `{}`", spelling(token))))
    }

    /// Parts joined by one operator; a single part stands for itself.
    fn chain(
        &mut self,
        operator: Token<'static>,
        part: fn(&mut Parser<'a>) -> Parsed,
        join: fn(Vec<Expr>) -> Node,
    ) -> Parsed {
        let first = part(self)?;
        if *self.peek() != operator {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.eat(&operator) {
            parts.push(part(self)?);
        }
        let extent = parts[0].extent.to(parts[parts.len() - 1].extent);
        Ok(Expr { extent, node: join(parts) })
    }

    fn any(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(Code::TooDeep, self.extent(), "an expression that nests too deeply")
                .help(format!("expressions nest at most {DEPTH_MAX} deep")));
        }
        let expr = self.chain(Token::Or, Parser::all, Node::Any)?;
        self.depth -= 1;
        Ok(expr)
    }

    fn all(&mut self) -> Parsed {
        self.chain(Token::And, Parser::relation, Node::All)
    }

    fn relation(&mut self) -> Parsed {
        let left = self.sum()?;
        let node = match self.peek().clone() {
            Token::Relation(relation) => {
                self.next();
                let right = self.sum()?;
                Node::Compare { left: Box::new(left), relation, right: Box::new(right) }
            }
            Token::Name("in") => {
                self.next();
                let right = self.sum()?;
                Node::In { left: Box::new(left), right: Box::new(right) }
            }
            _ => return Ok(left),
        };
        let extent = match &node {
            Node::Compare { left, right, .. } | Node::In { left, right } => left.extent.to(right.extent),
            _ => self.extent(),
        };
        if matches!(self.peek(), Token::Relation(_) | Token::Name("in")) {
            return Err(Fault::new(Code::Unexpected, self.extent(), "a comparison of a comparison")
                .label("a second comparison")
                .help("join two comparisons with `&&`: `1 <= x && x < 5`"));
        }
        Ok(Expr { extent, node })
    }

    fn sum(&mut self) -> Parsed {
        let first = self.product()?;
        if !matches!(self.peek(), Token::Plus | Token::Minus) {
            return Ok(first);
        }
        let mut terms = vec![(false, first)];
        while matches!(self.peek(), Token::Plus | Token::Minus) {
            let minus = self.next().0 == Token::Minus;
            terms.push((minus, self.product()?));
        }
        let extent = terms[0].1.extent.to(terms[terms.len() - 1].1.extent);
        Ok(Expr { extent, node: Node::Sum(terms) })
    }

    fn product(&mut self) -> Parsed {
        self.chain(Token::Star, Parser::signed, Node::Product)
    }

    fn signed(&mut self) -> Parsed {
        let (join, start): (fn(Box<Expr>) -> Node, Extent) = match self.peek() {
            Token::Not => (Node::Not, self.extent()),
            Token::Minus => (Node::Negate, self.extent()),
            _ => return self.selected(),
        };
        self.next();
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::new(Code::TooDeep, start, "too many signs in a row").help("two cancel each other"));
        }
        let inner = self.signed()?;
        self.depth -= 1;
        Ok(Expr { extent: start.to(inner.extent), node: join(Box::new(inner)) })
    }

    /// Something and what is selected of it: `a.b.c(d)`.
    fn selected(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        let mut n_selected = 0;
        while self.eat(&Token::Dot) {
            n_selected += 1;
            let word = self.word()?;
            if n_selected > DEPTH_MAX {
                return Err(Fault::new(Code::TooDeep, word.extent, "too many names joined by dots"));
            }
            let start = expr.extent;
            let of = Box::new(expr);
            expr = if *self.peek() == Token::Open {
                let (arguments, end) = self.arguments()?;
                Expr { extent: start.to(end), node: Node::Call { of: Some(of), name: word, arguments } }
            } else {
                Expr { extent: start.to(word.extent), node: Node::Member { of, name: word } }
            };
        }
        if *self.peek() == Token::OpenList {
            return Err(Fault::new(Code::NotInLanguage, self.extent(), "rules have no `[…]` after a value")
                .help("an attribute is written `profile.name`; a list stands after `in`"));
        }
        Ok(expr)
    }

    fn word(&mut self) -> Result<Word, Fault> {
        let Token::Name(name) = *self.peek() else { return Err(self.unexpected("a name after the dot")) };
        let (_, extent) = self.next();
        Ok(Word { extent, text: name.into() })
    }

    /// The parser stands at the opening parenthesis.
    fn arguments(&mut self) -> Result<(Vec<Expr>, Extent), Fault> {
        let (_, opened) = self.next();
        let mut arguments = Vec::new();
        while !matches!(self.peek(), Token::Close) {
            arguments.push(self.any()?);
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        let end = self.expect(&Token::Close, opened, "the parenthesis")?;
        Ok((arguments, end))
    }

    fn primary(&mut self) -> Parsed {
        let start = self.extent();
        let node = match self.peek().clone() {
            Token::Number(amount) => Node::Number(amount),
            Token::Text(text) => Node::Text(text),
            Token::Name("true") => Node::Flag(true),
            Token::Name("false") => Node::Flag(false),
            Token::Name("in") => return Err(self.unexpected("a value before `in`")),
            Token::Name(name) => return self.named(name),
            Token::Open => return self.parenthesised(),
            Token::OpenList => return self.list(),
            _ => return Err(self.unexpected("a value")),
        };
        self.next();
        Ok(Expr { extent: start, node })
    }

    fn named(&mut self, name: &str) -> Parsed {
        let (_, extent) = self.next();
        if *self.peek() != Token::Open {
            return Ok(Expr { extent, node: Node::Name(name.into()) });
        }
        let (arguments, end) = self.arguments()?;
        let name = Word { extent, text: name.into() };
        Ok(Expr { extent: extent.to(end), node: Node::Call { of: None, name, arguments } })
    }

    fn parenthesised(&mut self) -> Parsed {
        let (_, opened) = self.next();
        let inner = self.any()?;
        let end = self.expect(&Token::Close, opened, "the parenthesis")?;
        Ok(Expr { extent: opened.to(end), node: inner.node })
    }

    fn list(&mut self) -> Parsed {
        let (_, opened) = self.next();
        let mut parts = Vec::new();
        while !matches!(self.peek(), Token::CloseList) {
            parts.push(self.any()?);
            if !self.eat(&Token::Comma) {
                break;
            }
        }
        let end = self.expect(&Token::CloseList, opened, "the list")?;
        Ok(Expr { extent: opened.to(end), node: Node::List(parts) })
    }
}

fn spelling(token: &Token<'_>) -> String {
    match token {
        Token::Relation(relation) => relation.to_string(),
        Token::And => "&&".into(),
        Token::Or => "||".into(),
        Token::Not => "!".into(),
        Token::Plus => "+".into(),
        Token::Minus => "-".into(),
        Token::Star => "*".into(),
        Token::Open => "(".into(),
        Token::Close => ")".into(),
        Token::OpenList => "[".into(),
        Token::CloseList => "]".into(),
        Token::Comma => ",".into(),
        Token::Dot => ".".into(),
        Token::Name(name) => (*name).into(),
        Token::Number(_) | Token::Text(_) | Token::End => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::event::Amount;
    use crate::rules::plan::Relation;

    fn check(text: &str, expected: Expect) {
        let shown = match parse(text) {
            Ok(expr) => expr.to_string(),
            Err(Fault { code, extent, title, label, .. }) => {
                format!("{} {}..{} {title}: {label}", code.number(), extent.start, extent.end)
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn operators_bind_as_in_cel() {
        check("a || b && !c == d + e * -f.g", expect!["a || b && !c == d + e * -f.g"]);
        check("((a || b)) && (c)", expect!["(a || b) && c"]);
        check("a - (b - c) - d", expect!["a - (b - c) - d"]);
        check("x in [1, -2 , 'a\"b']", expect![r#"x in [1, -2, "a\"b"]"#]);
        check(
            "purchase.where(a=='b').top(brand,\"1d\")>=.6",
            expect![[r#"purchase.where(a == "b").top(brand, "1d") >= 0.6"#]],
        );
        check("!(a)", expect!["!a"]);
        check("-(1 + 2) * 3", expect!["-(1 + 2) * 3"]);
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        check("", expect!["E0301 0..0 an empty expression: expected a value"]);
        check("a b", expect!["E0301 2..3 `b` where no name can stand: expected an operator such as `&&`, or the end"]);
        check("a &&", expect!["E0301 4..4 the expression ends too early: expected a value"]);
        check("1 < x < 3", expect!["E0301 6..7 a comparison of a comparison: a second comparison"]);
        check("a.(b)", expect!["E0301 2..3 `(` where it cannot stand: expected a name after the dot"]);
        check("a.", expect!["E0301 2..2 the expression ends too early: expected a name after the dot"]);
        check("f(a", expect!["E0301 3..3 the expression ends too early: expected `)`"]);
        check("a[1]", expect!["E0305 1..2 rules have no `[…]` after a value: "]);
        check("a = b", expect!["E0305 2..3 `=` does not belong to the language of rules: "]);
        check("30d", expect!["E0303 0..3 `30d` is not a number of the rules: "]);
        check("in [1]", expect!["E0301 0..2 `in` where no name can stand: expected a value before `in`"]);
        check("\"a", expect!["E0302 0..2 a string that does not end: starts here"]);
    }

    #[test]
    fn what_is_written_otherwise_elsewhere_is_helped_with() {
        for (text, expected) in [
            ("a > 1 and b", "write `&&` for and"),
            ("(a > 1 OR b)", "write `||` for or"),
            ("not a", "write `!` for not"),
            (
                "(a >= 1,500)",
                "write numbers without a comma, and with a point where there are decimals: `1500`, `19.90`",
            ),
            ("(a >= 1 2)", "close it with `)`"),
        ] {
            let fault = parse(text).expect_err("it cannot be read");
            assert_eq!(fault.help.as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn extents_hold_the_parentheses() {
        let text = "a + (b * c) > d";
        let expr = parse(text).expect("it is right");
        let Node::Compare { left, .. } = &expr.node else { unreachable!("it is a comparison") };
        assert_eq!((left.extent, expr.extent), (Extent::new(0, 11), Extent::new(0, text.len())));
    }

    fn at(node: Node) -> Expr {
        Expr { extent: Extent::new(0, 0), node }
    }

    fn word() -> impl Strategy<Value = Word> {
        "[a-z_][a-z0-9_]{0,6}"
            .prop_filter("not a word of the language", |name| !matches!(&**name, "in" | "true" | "false"))
            .prop_map(|name| Word { extent: Extent::new(0, 0), text: name.into() })
    }

    fn relation() -> impl Strategy<Value = Relation> {
        use Relation::*;
        prop::sample::select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual])
    }

    fn expr() -> impl Strategy<Value = Expr> {
        let leaf = prop_oneof![
            (0..=Amount::SUM_LIMIT.0).prop_map(|value| Node::Number(Amount(value))),
            any::<String>().prop_map(|text| Node::Text(text.into())),
            any::<bool>().prop_map(Node::Flag),
            word().prop_map(|word| Node::Name(word.text)),
        ]
        .prop_map(at);
        leaf.prop_recursive(5, 40, 4, |inner| {
            let parts = prop::collection::vec(inner.clone(), 2..4);
            let list = prop::collection::vec(inner.clone(), 0..3);
            let boxed = inner.clone().prop_map(Box::new).boxed();
            prop_oneof![
                (boxed.clone(), word()).prop_map(|(of, name)| Node::Member { of, name }),
                (prop::option::of(boxed.clone()), word(), list.clone()).prop_map(|(of, name, arguments)| Node::Call {
                    of,
                    name,
                    arguments
                }),
                list.prop_map(Node::List),
                boxed.clone().prop_map(Node::Not),
                boxed.clone().prop_map(Node::Negate),
                parts.clone().prop_map(Node::Product),
                parts.clone().prop_map(|terms| Node::Sum(
                    terms.into_iter().enumerate().map(|(index, term)| (index % 2 == 1, term)).collect()
                )),
                (boxed.clone(), relation(), boxed.clone()).prop_map(|(left, relation, right)| Node::Compare {
                    left,
                    relation,
                    right
                }),
                (boxed.clone(), boxed).prop_map(|(left, right)| Node::In { left, right }),
                parts.clone().prop_map(Node::All),
                parts.prop_map(Node::Any),
            ]
            .prop_map(at)
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(expr in expr()) {
            let written = expr.to_string();
            prop_assert_eq!(parse(&written).map_err(|fault| format!("{fault:?} in {written}")), Ok(expr));
        }

        #[test]
        fn no_text_is_too_strange(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_mixture_of_tokens_is_too_strange(
            tokens in prop::collection::vec(prop::sample::select(vec![
                "a", "1", "\"x\"", "(", ")", "[", "]", ",", ".", "&&", "||", "!", "==", "<", "+", "-", "*", "in", "true",
            ]), 0..30)
        ) {
            let text = tokens.join(" ");
            match parse(&text) {
                Ok(expr) => prop_assert_eq!(parse(&expr.to_string()).ok(), Some(expr)),
                Err(fault) => prop_assert!(fault.extent.end <= text.len() && fault.extent.start <= fault.extent.end),
            }
        }
    }
}
