//! What the shard's record says of parts whose fate is not known, and of memory that outlived an assignment.

use super::epoch::Part;
use super::record::Token;

/// What is to become of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// So many of its queued parts were committed, the others were not; its memory is true.
    Kept { n_committed: usize },
    /// Somebody else went on from it: it decides nothing and is brought back afresh.
    Forgotten,
}

/// Compares the token that was read (after `init_transactions`, below a mark that is decided) with the shard's queued parts in
/// their order and, without any, with the last token that its memory produced or read.
pub fn fate<'a>(read: Option<&Token>, queued: impl Iterator<Item = &'a Part>, memory: Option<&Token>) -> Fate {
    let mut queued = queued.enumerate().peekable();
    let known = match queued.peek() {
        Some((_, first)) => first.predecessor.as_ref(),
        None => memory,
    };
    if read == known {
        return Fate::Kept { n_committed: 0 };
    }
    match queued.find(|(_, part)| Some(&part.token) == read) {
        Some((index, _)) => Fate::Kept { n_committed: index + 1 },
        None => Fate::Forgotten,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::Stamp;

    fn token() -> Token {
        Token::random().expect("there is chance")
    }

    fn part(predecessor: Option<Token>, token: Token) -> Part {
        let stamp = Stamp { member: "m".to_owned(), generation: 1 };
        let lineage = Token::random().expect("there is chance");
        Part { shard: 0, stamp, lineage, epoch: 1, predecessor, token, pieces: Vec::new() }
    }

    #[test]
    fn the_token_that_was_read_says_how_much_was_committed() {
        let (a, b, c) = (token(), token(), token());
        let queued = [part(Some(a.clone()), b.clone()), part(Some(b.clone()), c.clone())];
        let fate_of = |read: Option<&Token>| fate(read, queued.iter(), Some(&c));
        assert_eq!(fate_of(Some(&a)), Fate::Kept { n_committed: 0 });
        assert_eq!(fate_of(Some(&b)), Fate::Kept { n_committed: 1 });
        assert_eq!(fate_of(Some(&c)), Fate::Kept { n_committed: 2 });
        assert_eq!(fate_of(Some(&token())), Fate::Forgotten);
        assert_eq!(fate_of(None), Fate::Forgotten);
    }

    #[test]
    fn memory_without_queued_parts_is_true_only_while_nobody_went_on() {
        let last = token();
        let none = || std::iter::empty::<&Part>();
        assert_eq!(fate(Some(&last), none(), Some(&last)), Fate::Kept { n_committed: 0 });
        assert_eq!(fate(Some(&token()), none(), Some(&last)), Fate::Forgotten);
        assert_eq!(fate(None, none(), None), Fate::Kept { n_committed: 0 });
        assert_eq!(fate(Some(&last), none(), None), Fate::Forgotten);
    }

    #[test]
    fn a_first_part_has_no_predecessor_and_is_not_committed_while_there_is_no_record() {
        let first = part(None, token());
        assert_eq!(fate(None, std::iter::once(&first), Some(&first.token)), Fate::Kept { n_committed: 0 });
    }
}
