//! An expression as it was written, before any name is looked up. Spans are kept; they take no part in equality.

use std::fmt;

use super::place::Extent;
use super::plan::Relation;
use crate::event::Amount;

/// An expression and where it stands (parentheses around it included).
#[derive(Debug, Clone)]
pub struct Expr {
    pub extent: Extent,
    pub node: Node,
}

/// Two expressions are equal when they say the same, wherever they stand.
impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        self.node == other.node
    }
}

/// A name and where it stands.
#[derive(Debug, Clone)]
pub struct Word {
    pub extent: Extent,
    pub text: Box<str>,
}

impl PartialEq for Word {
    fn eq(&self, other: &Word) -> bool {
        self.text == other.text
    }
}

/// What an expression is. Chains of one operator are one node, so that depth is nesting, never length.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Never negative: a sign is a [`Node::Negate`].
    Number(Amount),
    Text(Box<str>),
    Flag(bool),
    Name(Box<str>),
    /// `of.name`
    Member {
        of: Box<Expr>,
        name: Word,
    },
    /// `name(arguments)` or `of.name(arguments)`
    Call {
        of: Option<Box<Expr>>,
        name: Word,
        arguments: Vec<Expr>,
    },
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negate(Box<Expr>),
    /// Two or more factors.
    Product(Vec<Expr>),
    /// Two or more terms; `true` stands before those that are taken away. The first never is.
    Sum(Vec<(bool, Expr)>),
    Compare {
        left: Box<Expr>,
        relation: Relation,
        right: Box<Expr>,
    },
    In {
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Two or more.
    All(Vec<Expr>),
    /// Two or more.
    Any(Vec<Expr>),
}

impl Expr {
    /// Calls `look` for this expression and all in it, outermost first.
    pub fn walk<'a>(&'a self, look: &mut impl FnMut(&'a Expr)) {
        look(self);
        match &self.node {
            Node::Number(_) | Node::Text(_) | Node::Flag(_) | Node::Name(_) => {}
            Node::Member { of, .. } => of.walk(look),
            Node::Call { of, arguments, .. } => {
                of.iter().for_each(|of| of.walk(look));
                arguments.iter().for_each(|argument| argument.walk(look));
            }
            Node::Not(inner) | Node::Negate(inner) => inner.walk(look),
            Node::List(parts) | Node::Product(parts) | Node::All(parts) | Node::Any(parts) => {
                parts.iter().for_each(|part| part.walk(look));
            }
            Node::Sum(terms) => terms.iter().for_each(|(_, term)| term.walk(look)),
            Node::Compare { left, right, .. } | Node::In { left, right } => {
                left.walk(look);
                right.walk(look);
            }
        }
    }

    /// `X` when this is `base.X`.
    pub fn member_of(&self, base: &str) -> Option<&Word> {
        match &self.node {
            Node::Member { of, name } if matches!(&of.node, Node::Name(of) if &**of == base) => Some(name),
            _ => None,
        }
    }

    /// How tightly it binds: a part that binds less than its surroundings needs parentheses.
    fn strength(&self) -> u8 {
        match &self.node {
            Node::Any(_) => 1,
            Node::All(_) => 2,
            Node::Compare { .. } | Node::In { .. } => 3,
            Node::Sum(_) => 4,
            Node::Product(_) => 5,
            Node::Not(_) | Node::Negate(_) => 6,
            _ => 7,
        }
    }
}

/// Inside surroundings of this strength.
struct Within<'a>(&'a Expr, u8);

impl fmt::Display for Within<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.strength() <= self.1 { write!(f, "({})", self.0) } else { write!(f, "{}", self.0) }
    }
}

/// In front of a dot, where a number would swallow it.
struct Selected<'a>(&'a Expr);

impl fmt::Display for Selected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.node {
            Node::Number(_) => write!(f, "({})", self.0),
            _ => write!(f, "{}", Within(self.0, 6)),
        }
    }
}

/// The expression in one canonical spelling: it parses back to the same, and what reads alike is spelled alike.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let strength = self.strength();
        match &self.node {
            Node::Number(amount) => write!(f, "{amount}"),
            Node::Text(text) => write_text(f, text),
            Node::Flag(flag) => write!(f, "{flag}"),
            Node::Name(name) => f.write_str(name),
            Node::Member { of, name } => write!(f, "{}.{}", Selected(of), name.text),
            Node::Call { of, name, arguments } => {
                if let Some(of) = of {
                    write!(f, "{}.", Selected(of))?;
                }
                write!(f, "{}(", name.text)?;
                write_joined(f, arguments, ", ", 0)?;
                f.write_str(")")
            }
            Node::List(parts) => {
                f.write_str("[")?;
                write_joined(f, parts, ", ", 0)?;
                f.write_str("]")
            }
            Node::Not(inner) => write!(f, "!{}", Within(inner, strength - 1)),
            Node::Negate(inner) => write!(f, "-{}", Within(inner, strength - 1)),
            Node::Product(parts) => write_joined(f, parts, " * ", strength),
            Node::Sum(terms) => write_sum(f, terms),
            Node::Compare { left, relation, right } => {
                write!(f, "{} {relation} {}", Within(left, strength), Within(right, strength))
            }
            Node::In { left, right } => write!(f, "{} in {}", Within(left, strength), Within(right, strength)),
            Node::All(parts) => write_joined(f, parts, " && ", strength),
            Node::Any(parts) => write_joined(f, parts, " || ", strength),
        }
    }
}

fn write_joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], between: &str, strength: u8) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{}", Within(part, strength))?;
    }
    Ok(())
}

fn write_sum(f: &mut fmt::Formatter<'_>, terms: &[(bool, Expr)]) -> fmt::Result {
    for (index, (minus, term)) in terms.iter().enumerate() {
        match (index, minus) {
            (0, _) => {}
            (_, false) => f.write_str(" + ")?,
            (_, true) => f.write_str(" - ")?,
        }
        write!(f, "{}", Within(term, 4))?;
    }
    Ok(())
}

/// In double quotes, with CEL's escapes.
pub(super) fn write_text(f: &mut impl fmt::Write, text: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in text.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{:04x}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Relation::Equal => "==",
            Relation::NotEqual => "!=",
            Relation::Less => "<",
            Relation::LessOrEqual => "<=",
            Relation::Greater => ">",
            Relation::GreaterOrEqual => ">=",
        })
    }
}
