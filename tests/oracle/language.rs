//! The text of a condition as a tree. Knows no feature and checks no type: only the grammar of SPEC 5.

use super::decimal::Decimal;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Plus,
    Minus,
    Times,
}

impl Operator {
    /// `a < b` is `b > a`.
    pub fn mirrored(self) -> Operator {
        match self {
            Operator::Less => Operator::Greater,
            Operator::LessOrEqual => Operator::GreaterOrEqual,
            Operator::Greater => Operator::Less,
            Operator::GreaterOrEqual => Operator::LessOrEqual,
            other => other,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Number(Decimal),
    Text(String),
    Truth(bool),
    List(Vec<Tree>),
    Name(String),
    Member(Box<Tree>, String),
    Call(Option<Box<Tree>>, String, Vec<Tree>),
    Not(Box<Tree>),
    Negate(Box<Tree>),
    Binary(Operator, Box<Tree>, Box<Tree>),
}

/// Panics on text that is no condition: the rules of a test are right.
pub fn parse(text: &str) -> Tree {
    let mut parser = Parser { tokens: tokens(text), at: 0, text };
    let tree = parser.binary(0);
    assert!(parser.at == parser.tokens.len(), "something follows the condition {text}");
    tree
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Number(Decimal),
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
            (Token::Number(Decimal::parse(&rest[..end]).expect("a number")), &rest[end..])
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
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
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

    fn name(&mut self) -> String {
        let Some(Token::Name(name)) = self.tokens.get(self.at) else { panic!("a name is missing in {}", self.text) };
        self.at += 1;
        name.clone()
    }

    fn binary(&mut self, level: usize) -> Tree {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.binary(level + 1);
        while let Some((sign, operator)) = operators.iter().find(|(sign, _)| self.is_next(sign)) {
            self.need(sign);
            let right = self.binary(level + 1);
            left = Tree::Binary(*operator, Box::new(left), Box::new(right));
        }
        left
    }

    fn unary(&mut self) -> Tree {
        if self.take("!") {
            Tree::Not(Box::new(self.unary()))
        } else if self.take("-") {
            Tree::Negate(Box::new(self.unary()))
        } else {
            self.member()
        }
    }

    fn member(&mut self) -> Tree {
        let mut tree = self.primary();
        while self.take(".") {
            let name = self.name();
            tree = if self.take("(") {
                Tree::Call(Some(Box::new(tree)), name, self.list(")"))
            } else {
                Tree::Member(Box::new(tree), name)
            };
        }
        tree
    }

    fn primary(&mut self) -> Tree {
        if self.take("(") {
            let tree = self.binary(0);
            self.need(")");
            return tree;
        }
        if self.take("[") {
            return Tree::List(self.list("]"));
        }
        let token = self.tokens.get(self.at).unwrap_or_else(|| panic!("{} ends early", self.text)).clone();
        self.at += 1;
        match token {
            Token::Number(value) => Tree::Number(value),
            Token::Text(value) => Tree::Text(value),
            Token::Name(name) if name == "true" || name == "false" => Tree::Truth(name == "true"),
            Token::Name(name) if self.take("(") => Tree::Call(None, name, self.list(")")),
            Token::Name(name) => Tree::Name(name),
            Token::Sign(sign) => panic!("{sign} is unexpected in {}", self.text),
        }
    }

    fn list(&mut self, end: &str) -> Vec<Tree> {
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
