//! A timeline's lines, one after the other: each is put at its instant, and all that are wrong are reported, each for
//! the first thing that is wrong with it.

use super::cursor::Cursor;
use super::event::{Draft, event};
use super::expectation::{SpokenOf, expectation};
use super::moment::{When, out_of_range, when};
use super::{Expected, Step, What, lines};
use crate::event::{Decoder, Instant};
use crate::rules::declared::Declared;
use crate::rules::diagnostic::{Code, Diagnostic, Fault};
use crate::rules::place::{Excerpt, Extent};

/// All events of one test.
const EVENTS_MAX: u32 = 100_000;

/// What a timeline may speak of.
#[derive(Debug)]
pub struct Ground<'a> {
    pub(super) declared: &'a Declared,
    /// Those that rules read.
    pub(super) attributes: &'a [Box<str>],
    /// Takes what a shop's events may be.
    pub(super) decoder: Decoder,
}

impl<'a> Ground<'a> {
    pub fn new(declared: &'a Declared, attributes: &'a [Box<str>]) -> Ground<'a> {
        Ground { declared, attributes, decoder: Decoder::new(&declared.bare_schema()) }
    }
}

/// The steps of a timeline, in the order of its lines, or everything that is wrong with it.
pub fn read(timeline: &Excerpt, ground: &Ground<'_>) -> Result<Vec<Step>, Vec<Diagnostic>> {
    let mut reader = Reader {
        timeline,
        ground,
        steps: Vec::new(),
        faults: Vec::new(),
        draft: None,
        now: Now::Unknown,
        latest: Instant::ORIGIN,
        spoken_of: SpokenOf::Nothing,
        n_events: 0,
        expects: false,
    };
    for line in lines(timeline.text()) {
        if let Err(fault) = reader.line(line) {
            reader.faults.push(fault);
        }
    }
    reader.finish_draft();
    if !reader.expects && reader.faults.is_empty() {
        let fault = Fault::new(Code::NothingExpected, Extent::new(0, 0), "a test that expects nothing");
        let help = "say where the customer should stand: a line such as `+90d => activity = dormant`";
        let diagnostic = Diagnostic { place: timeline.whole(), ..fault.help(help).within(timeline) };
        return Err(vec![diagnostic]);
    }
    match reader.faults.is_empty() {
        true => Ok(reader.steps),
        false => Err(reader.faults.into_iter().map(|fault| fault.within(timeline)).collect()),
    }
}

/// The instant of the line before.
#[derive(Debug, Clone, Copy)]
enum Now {
    /// There was no line yet.
    Unknown,
    /// Its time was wrong, which was reported.
    Lost,
    At(Instant),
}

struct Reader<'a> {
    timeline: &'a Excerpt,
    ground: &'a Ground<'a>,
    steps: Vec<Step>,
    faults: Vec<Fault>,
    /// The event of the line before, which lines of its order may still be added to, and its instant if it is known.
    draft: Option<(Draft, Option<Instant>)>,
    now: Now,
    latest: Instant,
    /// The dimension that was named last in this look.
    spoken_of: SpokenOf,
    n_events: u32,
    expects: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: Extent) -> Result<(), Fault> {
        let mut cursor = Cursor::new(self.timeline.text(), line);
        if cursor.is_at_end() {
            return Ok(());
        }
        let (when, extent) = when(&mut cursor, &self.ground.declared.zone).inspect_err(|_| {
            // What follows it is not known to be wrong.
            self.finish_draft();
            (self.now, self.spoken_of) = (Now::Lost, SpokenOf::Lost);
        })?;
        if when == When::Same && self.adds_to_order(&cursor) {
            return self.add_to_order(&mut cursor);
        }
        self.finish_draft();
        if cursor.takes("=>") {
            self.look(&mut cursor, when, extent)
        } else {
            self.event(&mut cursor, when, extent, line)
        }
    }

    fn adds_to_order(&self, cursor: &Cursor<'_>) -> bool {
        self.draft.is_some() && self.ground.declared.kind("item").is_none() && cursor.clone().takes_word("item")
    }

    fn add_to_order(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Fault> {
        let Some((draft, _)) = &mut self.draft else { return Ok(()) };
        draft.read_more_items(cursor, self.ground)
    }

    /// The instant of a line. `None`: it hangs on one that was wrong.
    fn instant(&mut self, when: When, extent: Extent) -> Result<Option<Instant>, Fault> {
        let at = match (when, self.now) {
            (When::Absolute(at), _) => at,
            (_, Now::Lost) => return Ok(None),
            (_, Now::Unknown) => {
                self.now = Now::Lost;
                return Err(Fault::new(Code::BadMoment, extent, "the first line of a test has no date")
                    .help("begin it with one: `2026-01-05 10:00   purchase 40`"));
            }
            (When::Same, Now::At(before)) => before,
            (When::After(span), Now::At(before)) => before + span,
        };
        if at >= Instant::END {
            self.now = Now::Lost;
            return Err(out_of_range(extent));
        }
        self.now = Now::At(at);
        Ok(Some(at))
    }

    fn event(&mut self, cursor: &mut Cursor<'_>, when: When, extent: Extent, line: Extent) -> Result<(), Fault> {
        self.spoken_of = SpokenOf::Nothing;
        let at = self.instant(when, extent);
        let draft = event(cursor, self.ground)?;
        let at = at?;
        self.n_events = self.n_events.saturating_add(draft.n);
        if self.n_events > EVENTS_MAX {
            self.n_events = 0;
            return Err(Fault::new(Code::TooMany, draft.extent, format!("a test with more than {EVENTS_MAX} events"))
                .help("split it over several tests"));
        }
        if let Some(at) = at {
            let last = at + draft.lasts();
            if last >= Instant::END {
                self.now = Now::Lost;
                return Err(out_of_range(line));
            }
            self.now = Now::At(last);
            self.latest = self.latest.max(last);
        }
        self.draft = Some((draft, at));
        Ok(())
    }

    /// The event of the line before is whole.
    fn finish_draft(&mut self) {
        let Some((draft, at)) = self.draft.take() else { return };
        let place = self.timeline.place(draft.extent);
        // Where its time is not known, any tells whether it is an event.
        match draft.finish(at.unwrap_or(self.latest), self.ground) {
            Ok(event) => {
                let at = at.unwrap_or(self.latest);
                self.steps.push(Step { place, at, what: What::Event(event) });
            }
            Err(fault) => self.faults.push(fault),
        }
    }

    fn look(&mut self, cursor: &mut Cursor<'_>, when: When, extent: Extent) -> Result<(), Fault> {
        self.expects = true;
        let before = self.latest;
        let at = self.look_instant(when, extent);
        if !matches!(at, Ok(Some(at)) if at == before) {
            self.spoken_of = SpokenOf::Nothing;
        }
        let start = cursor.position();
        let claims =
            expectation(cursor, self.ground, &mut self.spoken_of).inspect_err(|_| self.spoken_of = SpokenOf::Lost)?;
        let Some(at) = at? else { return Ok(()) };
        let expected = |(extent, claim)| Expected { place: self.timeline.place(extent), claim };
        let expected = claims.into_iter().map(expected).collect();
        let place = self.timeline.place(Extent::new(start, cursor.end_of_read()));
        self.steps.push(Step { place, at, what: What::Look(expected) });
        Ok(())
    }

    /// A look is at the present: without a time of its own, at the latest instant so far.
    fn look_instant(&mut self, when: When, extent: Extent) -> Result<Option<Instant>, Fault> {
        let Some(at) = self.instant(when, extent)? else { return Ok(None) };
        if when == When::Same {
            self.now = Now::At(self.latest);
            return Ok(Some(self.latest));
        }
        if at < self.latest {
            return Err(Fault::new(Code::BadMoment, extent, "an expectation that looks back")
                .label("earlier than a line before")
                .help("time does not go back; without a time, it is about the moment that the test has come to"));
        }
        self.latest = at;
        Ok(Some(at))
    }
}
