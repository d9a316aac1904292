//! The text of a condition as a tree, read by a parser of its own. Knows no feature and checks no type: only the grammar of SPEC 5.

use dormouse::event::Amount;
use dormouse::rules::ast::{Expr, Node, Word};
use dormouse::rules::place::Extent;
use dormouse::rules::plan::Relation;

use super::decimal::decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Or,
    And,
    Compare(Relation),
    In,
    Plus,
    Minus,
    Times,
}

/// Panics on text that is no condition: the rules of a test are right.
pub fn parse(text: &str) -> Expr {
    let mut parser = Parser { tokens: tokens(text), at: 0, text };
    let tree = parser.binary(0);
    assert!(parser.at == parser.tokens.len(), "something follows the condition {text}");
    tree
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(Amount),
    Text(String),
    Name(String),
    Sign(&'static str),
}

const SIGNS: [&str; 19] =
    ["&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "(", ")", "[", "]", ",", ".", "?"];

fn tokens(text: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            (Token::Number(number(&rest[..end])), &rest[end..])
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), &rest[end..])
        } else if first == '"' || first == '\'' {
            quoted(rest, first)
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.unwrap_or_else(|| panic!("no token at {rest}"));
            (Token::Sign(sign), &rest[sign.len()..])
        };
        found.push(token);
        rest = after.trim_start();
    }
    found
}

fn quoted(rest: &str, quote: char) -> (Token, &str) {
    let mut content = String::new();
    let mut letters = rest.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => match letters.next().expect("something after a backslash").1 {
                'n' => content.push('\n'),
                't' => content.push('\t'),
                other => content.push(other),
            },
            end if end == quote => return (Token::Text(content), &rest[at + 1..]),
            other => content.push(other),
        }
    }
    panic!("an open string: {rest}")
}

struct Parser<'a> {
    tokens: Vec<Token>,
    at: usize,
    text: &'a str,
}

/// From the loosest to the tightest.
const LEVELS: [&[(&str, Operator)]; 5] = [
    &[("||", Operator::Or)],
    &[("&&", Operator::And)],
    &[
        ("==", Operator::Compare(Relation::Equal)),
        ("!=", Operator::Compare(Relation::NotEqual)),
        ("<=", Operator::Compare(Relation::LessOrEqual)),
        (">=", Operator::Compare(Relation::GreaterOrEqual)),
        ("<", Operator::Compare(Relation::Less)),
        (">", Operator::Compare(Relation::Greater)),
        ("in", Operator::In),
    ],
    &[("+", Operator::Plus), ("-", Operator::Minus)],
    &[("*", Operator::Times)],
];

impl Parser<'_> {
    fn is_next(&self, sign: &str) -> bool {
        match self.tokens.get(self.at) {
            Some(Token::Sign(found)) => *found == sign,
            Some(Token::Name(found)) => found == sign && sign == "in",
            _ => false,
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.is_next(sign);
        self.at += usize::from(found);
        found
    }

    fn need(&mut self, sign: &str) {
        assert!(self.take(sign), "{sign} is missing in {} before token {}", self.text, self.at);
    }

    fn name(&mut self) -> Word {
        let Some(Token::Name(name)) = self.tokens.get(self.at) else { panic!("a name is missing in {}", self.text) };
        self.at += 1;
        word(name)
    }

    fn binary(&mut self, level: usize) -> Expr {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1);
        while let Some((sign, operator)) = operators.iter().find(|(sign, _)| self.is_next(sign)) {
            self.need(sign);
            let right = self.binary(level + 1);
            left = joined(*operator, left, right);
        }
        left
    }

    fn unary(&mut self) -> Expr {
        if self.take("!") {
            expr(Node::Not(Box::new(self.unary())))
        } else if self.take("-") {
            expr(Node::Negate(Box::new(self.unary())))
        } else {
            self.member()
        }
    }

    fn member(&mut self) -> Expr {
        let mut tree = self.primary();
        while self.take(".") {
            let name = self.name();
            let of = Box::new(tree);
            tree = expr(if self.take("(") {
                Node::Call { of: Some(of), name, arguments: self.list(")") }
            } else {
                Node::Member { of, name }
            });
        }
        tree
    }

    fn primary(&mut self) -> Expr {
        if self.take("(") {
            let tree = self.binary(0);
            self.need(")");
            return tree;
        }
        if self.take("[") {
            return expr(Node::List(self.list("]")));
        }
        let token = self.tokens.get(self.at).unwrap_or_else(|| panic!("{} ends early", self.text)).clone();
        self.at += 1;
        expr(match token {
            Token::Number(value) => Node::Number(value),
            Token::Text(value) => Node::Text(value.into()),
            Token::Name(name) if name == "true" || name == "false" => Node::Flag(name == "true"),
            Token::Name(name) if self.take("(") => {
                Node::Call { of: None, name: word(&name), arguments: self.list(")") }
            }
            Token::Name(name) => Node::Name(name.into()),
            Token::Sign(sign) => panic!("{sign} is unexpected in {}", self.text),
        })
    }

    fn list(&mut self, end: &str) -> Vec<Expr> {
        let mut elements = Vec::new();
        while !self.take(end) {
            elements.push(self.binary(0));
            if !self.take(",") {
                self.need(end);
                break;
            }
        }
        elements
    }
}

/// Where it stands does not matter here.
fn expr(node: Node) -> Expr {
    Expr { extent: Extent::new(0, 0), node }
}

fn word(text: &str) -> Word {
    Word { extent: Extent::new(0, 0), text: text.into() }
}

fn number(text: &str) -> Amount {
    let number = decimal(text).expect("a number").rounded();
    Amount(i64::try_from(number).expect("a number of a test fits"))
}

fn joined(operator: Operator, left: Expr, right: Expr) -> Expr {
    expr(match operator {
        Operator::Or => Node::Any(vec![left, right]),
        Operator::And => Node::All(vec![left, right]),
        Operator::Compare(relation) => Node::Compare { left: Box::new(left), relation, right: Box::new(right) },
        Operator::In => Node::In { left: Box::new(left), right: Box::new(right) },
        Operator::Plus => Node::Sum(vec![(false, left), (false, right)]),
        Operator::Minus => Node::Sum(vec![(false, left), (true, right)]),
        Operator::Times => Node::Product(vec![left, right]),
    })
}
