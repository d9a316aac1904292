//! What a line expects after `=>`: standings, moves, or that nothing moved. Names become the numbers of the rules.

use super::cursor::{Cursor, Word};
use super::moment::absolute;
use super::read::Ground;
use super::{Claim, Move};
use crate::event::Instant;
use crate::rules::declared::Dimension;
use crate::rules::diagnostic::{Code, Fault, nearest};
use crate::rules::place::Extent;
use crate::rules::plan::{DimensionId, SegmentId};

/// The dimension that a bare `from active` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpokenOf {
    Nothing,
    /// The line before was wrong, which was reported.
    Lost,
    Dimension(DimensionId),
}

/// Claims with their extents, in the order of the line.
pub type Claims = Vec<(Extent, Claim)>;

/// Reads what stands after `=>`.
pub fn expectation(cursor: &mut Cursor<'_>, ground: &Ground<'_>, spoken_of: &mut SpokenOf) -> Result<Claims, Fault> {
    let mut reader = Reader { cursor, ground, spoken_of, claims: Claims::new() };
    if !reader.no_change()? {
        reader.changes();
        loop {
            reader.item()?;
            if !reader.cursor.takes(",") {
                break;
            }
        }
    }
    if !reader.cursor.is_at_end() {
        let fault = reader.cursor.unexpected("`,` or nothing");
        return Err(fault.help("a name with a blank in it stands in quotes: `\"at risk\"`"));
    }
    Ok(reader.claims)
}

struct Reader<'a, 'c, 'g> {
    cursor: &'c mut Cursor<'a>,
    ground: &'c Ground<'g>,
    spoken_of: &'c mut SpokenOf,
    claims: Claims,
}

impl Reader<'_, '_, '_> {
    fn start(&mut self) -> usize {
        self.cursor.skip_blank();
        self.cursor.position()
    }

    fn push(&mut self, start: usize, claim: Claim) {
        self.claims.push((Extent::new(start, self.cursor.end_of_read()), claim));
    }

    /// `no change`, `no change in activity, spend`.
    fn no_change(&mut self) -> Result<bool, Fault> {
        let start = self.start();
        let before = self.cursor.clone();
        if !(self.cursor.takes_word("no") && (self.cursor.takes_word("change") || self.cursor.takes_word("changes"))) {
            *self.cursor = before;
            return Ok(false);
        }
        let mut dimensions = Vec::new();
        if self.cursor.takes_word("in") || self.cursor.takes_word("of") {
            loop {
                dimensions.push(self.dimension()?);
                if !self.cursor.takes(",") {
                    break;
                }
            }
        } else {
            dimensions.extend((0..self.ground.declared.dimensions.len()).map(|index| DimensionId(index as u8)));
        }
        self.push(start, Claim::Stayed { dimensions });
        Ok(true)
    }

    /// `changes:` says nothing that the moves after it do not.
    fn changes(&mut self) {
        let before = self.cursor.clone();
        let is_dimension = self.ground.declared.dimension("changes").is_some();
        if !(self.cursor.takes_word("changes") && (self.cursor.takes(":") || !is_dimension)) {
            *self.cursor = before;
        }
    }

    /// One of `activity = dormant from active`, `activity != dormant`, `activity active -> dormant`, `from active`.
    fn item(&mut self) -> Result<(), Fault> {
        let start = self.start();
        if self.stands_alone_from() {
            return self.alone_from(start);
        }
        let dimension = self.dimension()?;
        let negated = self.cursor.takes("!=");
        if negated || self.cursor.takes("==") || (!self.cursor.rest().starts_with("=>") && self.cursor.takes("=")) {
            let segment = self.segment(dimension)?;
            self.push(start, Claim::Stands { dimension, segment, negated });
            if negated {
                return Ok(());
            }
            *self.spoken_of = SpokenOf::Dimension(dimension);
            let start = self.start();
            return self.came(start, dimension);
        }
        self.cursor.takes(":");
        self.moves(start, dimension)
    }

    fn stands_alone_from(&self) -> bool {
        self.cursor.clone().takes_word("from") && self.ground.declared.dimension("from").is_none()
    }

    /// `from` that no dimension stands in front of.
    fn alone_from(&mut self, start: usize) -> Result<(), Fault> {
        match *self.spoken_of {
            SpokenOf::Dimension(dimension) => self.came(start, dimension),
            SpokenOf::Lost => {
                self.cursor.takes_word("from");
                self.cursor.name()?;
                self.at().map(|_| ())
            }
            SpokenOf::Nothing => {
                let fault = Fault::new(Code::BadLine, self.cursor.extent("from".len()), "`from` of no dimension");
                Err(fault.help("say where the customer stands in front of it: `activity = dormant from active`"))
            }
        }
    }

    /// `from active at 2026-04-15`, each of both or nothing.
    fn came(&mut self, start: usize, dimension: DimensionId) -> Result<(), Fault> {
        let from = match self.cursor.takes_word("from") {
            true => Some(self.segment(dimension)?),
            false => None,
        };
        let at = self.at()?;
        if from.is_some() || at.is_some() {
            self.push(start, Claim::Came { dimension, from, at });
        }
        Ok(())
    }

    /// `at 2026-04-15 10:00:00.001`.
    fn at(&mut self) -> Result<Option<Instant>, Fault> {
        if !self.cursor.takes_word("at") {
            return Ok(None);
        }
        self.cursor.skip_blank();
        if !self.cursor.rest().starts_with(|c: char| c.is_ascii_digit()) {
            return Err(self.cursor.unexpected("a date such as `2026-04-15 10:00`"));
        }
        absolute(self.cursor, &self.ground.declared.zone).map(|(at, _)| Some(at))
    }

    /// `none -> new at 2026-01-05 -> active`, after the dimension.
    fn moves(&mut self, start: usize, dimension: DimensionId) -> Result<(), Fault> {
        let Some(first) = self.name("`= SEGMENT`, `!= SEGMENT` or `SEGMENT -> SEGMENT`")? else {
            let fault = self.cursor.unexpected("`=`, `!=` or `SEGMENT -> SEGMENT`");
            return Err(fault.help("for example `activity = active`"));
        };
        let mut from = self.segment_named(dimension, &first)?;
        let mut moves = Vec::new();
        while self.cursor.takes("->") {
            let to = self.segment(dimension)?;
            let at = self.at()?;
            moves.push(Move { from, to, at });
            from = to;
        }
        if moves.is_empty() {
            let of = &self.ground.declared.dimensions[usize::from(dimension.0)].name;
            let help = format!("did you mean `{} = {}`?", written(of.text()), written(&first.text));
            return Err(self.cursor.unexpected("`->` and a segment").help(help));
        }
        let known = self.claims.iter_mut().find_map(|(_, claim)| match claim {
            Claim::Moved { dimension: of, moves } if *of == dimension => Some(moves),
            _ => None,
        });
        match known {
            Some(known) => known.extend(moves),
            None => self.push(start, Claim::Moved { dimension, moves }),
        }
        Ok(())
    }

    fn name(&mut self, expected: &str) -> Result<Option<Word>, Fault> {
        let before = self.cursor.clone();
        let name = self.cursor.name()?;
        if name.is_none() {
            *self.cursor = before;
            if self.cursor.is_at_end() {
                return Err(self.cursor.unexpected(expected));
            }
        }
        Ok(name)
    }

    fn dimension(&mut self) -> Result<DimensionId, Fault> {
        let Some(name) = self.name("a dimension")? else { return Err(self.cursor.unexpected("a dimension")) };
        let declared = self.ground.declared;
        if let Some(index) = declared.dimension(&name.text) {
            return Ok(DimensionId(index as u8));
        }
        let title = format!("there is no dimension `{}`", name.text);
        let fault = Fault::new(Code::UnknownDimension, name.extent, title).label("unknown dimension");
        let names = || declared.dimensions.iter().map(|dimension| dimension.name.text());
        let has_it = |dimension: &&Dimension| dimension.segments.iter().any(|known| *known.name.text() == *name.text);
        Err(match (nearest(&name.text, names()), declared.dimensions.iter().find(has_it)) {
            (_, Some(dimension)) => {
                fault.help(format!("did you mean `{} = {}`?", written(dimension.name.text()), written(&name.text)))
            }
            (Some(near), None) => fault.help(format!("did you mean `{near}`?")),
            (None, None) => fault.help(format!("dimensions are {}", names().collect::<Vec<_>>().join(", "))),
        })
    }

    fn segment(&mut self, dimension: DimensionId) -> Result<Option<SegmentId>, Fault> {
        let expected = "a segment, or `none`";
        match self.name(expected)? {
            Some(name) => self.segment_named(dimension, &name),
            None => Err(self.cursor.unexpected(expected)),
        }
    }

    fn segment_named(&mut self, dimension: DimensionId, name: &Word) -> Result<Option<SegmentId>, Fault> {
        if name.is("none") || name.text.is_empty() {
            return Ok(None);
        }
        let dimension = &self.ground.declared.dimensions[usize::from(dimension.0)];
        let names = || dimension.segments.iter().map(|segment| segment.name.text());
        if let Some(index) = names().position(|known| *known == *name.text) {
            return Ok(Some(SegmentId(index as u8)));
        }
        let title = format!("dimension `{}` has no segment `{}`", dimension.name.text(), name.text);
        let fault = Fault::new(Code::UnknownSegment, name.extent, title).label("no such segment");
        // `at risk` without its quotes.
        let rest = Extent::new(name.extent.start, name.extent.start + self.cursor.rest().len() + name.text.len());
        let begun = names().find(|known| !name.quoted && rest_begins(self.cursor, rest, known));
        Err(match (begun, nearest(&name.text, names())) {
            (Some(whole), _) => fault.help(format!("a name with a blank in it stands in quotes: `\"{whole}\"`")),
            (None, Some(near)) => fault.help(format!("did you mean `{}`?", written(near))),
            (None, None) => fault.help(format!("its segments are {}", names().collect::<Vec<_>>().join(", "))),
        })
    }
}

fn rest_begins(cursor: &Cursor<'_>, rest: Extent, name: &str) -> bool {
    cursor.text(rest).starts_with(name)
}

/// A name as a test has it: in quotes where it must be.
pub fn written(name: &str) -> String {
    let is_plain = !name.is_empty()
        && !name.starts_with('#')
        && !name.chars().any(|c| c.is_whitespace() || matches!(c, ',' | ';' | '=' | ':' | '"' | '\''))
        && !["->", "!="].iter().any(|sign| name.contains(sign));
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")) }
}
