//! A change as bytes, for the sort between engine and output: a key that orders it, and the rest, packed.
//!
//! It is no format for the outside: it is read by the process that wrote it. What always holds: keys compare as
//! (`effective_at`, customer, `sequence`).

use compact_str::CompactString;
use memchr::memchr;
use smallvec::SmallVec;

use crate::engine::{Cause, Change, Evidence, EvidenceList, Interests, Readings};
use crate::event::{Amount, Instant, Span};
use crate::rules::plan::{ComparisonId, DimensionId, SegmentId};
use crate::rules::reading::Quantity;

/// The record that made the engine look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Index into the files of the replay.
    pub file: u32,
    /// From 1.
    pub line: u64,
}

/// Appends the key of `change` to `key`: the instant, the customer with an end that sorts before any of its
/// continuations, and the sequence.
pub fn pack_key(change: &Change, key: &mut Vec<u8>) {
    key.extend_from_slice(&ordered(change.effective_at));
    let mut rest = change.customer.as_bytes();
    while let Some(zero) = memchr(0, rest) {
        key.extend_from_slice(&rest[..=zero]);
        key.push(1);
        rest = &rest[zero + 1..];
    }
    key.extend_from_slice(rest);
    key.extend_from_slice(&[0, 0]);
    key.extend_from_slice(&change.sequence.to_be_bytes());
}

/// An instant as bytes that compare as it does.
pub fn ordered(instant: Instant) -> [u8; 8] {
    (instant.0 as u64 ^ 1 << 63).to_be_bytes()
}

/// Appends everything of `change` that its key does not say.
pub fn pack(change: &Change, origin: Option<Origin>, payload: &mut Vec<u8>) {
    payload.push(change.dimension.0);
    payload.push(cause_number(change.cause));
    put_segment(change.from, payload);
    put_segment(change.to, payload);
    put_number(change.from_since.map_or(0, |since| 1 + since.0 as u64), payload);
    put_number(change.evidence.len() as u64, payload);
    for evidence in &change.evidence {
        put_number(u64::from(evidence.comparison.0) << 1 | u64::from(evidence.holds), payload);
        put_readings(&evidence.value, payload);
    }
    match &change.reason {
        Some(reason) => {
            payload.push(1);
            put_text(reason, payload);
        }
        None => payload.push(0),
    }
    put_interests(change.interests.as_deref(), payload);
    put_number(change.standing.len() as u64, payload);
    for &segment in &change.standing {
        put_segment(segment, payload);
    }
    if let Some(origin) = origin {
        put_number(1 + u64::from(origin.file), payload);
        put_number(origin.line, payload);
    } else {
        put_number(0, payload);
    }
}

/// Somewhere to unpack to.
pub fn unpacked() -> Change {
    Change {
        customer: CompactString::default(),
        sequence: 0,
        dimension: DimensionId(0),
        from: None,
        to: None,
        from_since: None,
        effective_at: Instant::ORIGIN,
        cause: Cause::Event,
        evidence: EvidenceList::new(),
        reason: None,
        interests: None,
        standing: SmallVec::new(),
    }
}

/// The change as it was packed, into `change`; returns its origin.
pub fn unpack(key: &[u8], payload: &[u8], change: &mut Change) -> Option<Origin> {
    (change.effective_at, change.customer, change.sequence) = unpack_key(key);
    let mut bytes = Bytes(payload);
    change.dimension = DimensionId(bytes.byte());
    change.cause = CAUSES[usize::from(bytes.byte())];
    (change.from, change.to) = (bytes.segment(), bytes.segment());
    change.from_since = bytes.number().checked_sub(1).map(|since| Instant(since as i64));
    change.evidence.clear();
    change.evidence.extend((0..bytes.number()).map(|_| bytes.evidence()));
    change.reason = (bytes.byte() == 1).then(|| bytes.text());
    change.interests = (bytes.byte() == 1).then(|| Box::new(bytes.interests()));
    change.standing.clear();
    change.standing.extend((0..bytes.number()).map(|_| bytes.segment()));
    bytes.number().checked_sub(1).map(|file| Origin { file: file as u32, line: bytes.number() })
}

fn unpack_key(key: &[u8]) -> (Instant, CompactString, u64) {
    let (instant, rest) = key.split_at(8);
    let (customer, sequence) = rest.split_at(rest.len() - 8);
    let eight = |bytes: &[u8]| u64::from_be_bytes(bytes.try_into().expect("split at eight bytes"));
    let text = |bytes| std::str::from_utf8(bytes).expect("it was a text when it was packed");
    let mut escaped = &customer[..customer.len() - 2];
    let mut plain = CompactString::default();
    while let Some(zero) = memchr(0, escaped) {
        plain.push_str(text(&escaped[..=zero]));
        escaped = &escaped[zero + 2..];
    }
    plain.push_str(text(escaped));
    (Instant((eight(instant) ^ 1 << 63) as i64), plain, eight(sequence))
}

const CAUSES: [Cause; 4] = [Cause::Event, Cause::LateEvent, Cause::Elapsed, Cause::Rules];

fn cause_number(cause: Cause) -> u8 {
    match cause {
        Cause::Event => 0,
        Cause::LateEvent => 1,
        Cause::Elapsed => 2,
        Cause::Rules => 3,
    }
}

fn put_segment(segment: Option<SegmentId>, bytes: &mut Vec<u8>) {
    put_number(segment.map_or(0, |segment| 1 + u64::from(segment.0)), bytes);
}

fn put_text(text: &str, bytes: &mut Vec<u8>) {
    put_number(text.len() as u64, bytes);
    bytes.extend_from_slice(text.as_bytes());
}

fn put_interests(interests: Option<&Interests>, bytes: &mut Vec<u8>) {
    bytes.push(u8::from(interests.is_some()));
    for (_, texts) in interests.into_iter().flat_map(Interests::lists) {
        put_number(texts.len() as u64, bytes);
        texts.iter().for_each(|text| put_text(text, bytes));
    }
}

fn put_readings(readings: &Readings, bytes: &mut Vec<u8>) {
    match readings {
        Readings::One(reading) => put_reading(reading, bytes),
        Readings::Two(sides) => {
            bytes.push(TWO);
            sides.iter().for_each(|side| put_reading(side, bytes));
        }
    }
}

fn put_reading(reading: &Quantity, bytes: &mut Vec<u8>) {
    let zigzag = |value: i64| (value << 1 ^ value >> 63) as u64;
    match reading {
        Quantity::Absent => bytes.push(ABSENT),
        Quantity::Never => bytes.push(NEVER),
        Quantity::Flag(flag) => bytes.push(if *flag { TRUE } else { FALSE }),
        Quantity::Number(amount) => {
            bytes.push(NUMBER);
            put_number(zigzag(amount.0), bytes);
        }
        Quantity::Duration(span) => {
            bytes.push(DURATION);
            put_number(zigzag(span.0), bytes);
        }
        Quantity::Text(text) => {
            bytes.push(TEXT);
            put_text(text, bytes);
        }
    }
}

// What a reading begins with.
const ABSENT: u8 = 0;
const NEVER: u8 = 1;
const FALSE: u8 = 2;
const TRUE: u8 = 3;
const NUMBER: u8 = 4;
const DURATION: u8 = 5;
const TEXT: u8 = 6;
/// Two readings follow.
const TWO: u8 = 7;

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number > 0x7F {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// What is left of a payload.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().expect("payloads are read as they were written");
        self.0 = rest;
        first
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        let mut shift = 0;
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }

    fn segment(&mut self) -> Option<SegmentId> {
        self.number().checked_sub(1).map(|segment| SegmentId(segment as u8))
    }

    fn text(&mut self) -> Box<str> {
        let n_bytes = self.number() as usize;
        let (text, rest) = self.0.split_at(n_bytes);
        self.0 = rest;
        std::str::from_utf8(text).expect("it was a text when it was packed").into()
    }

    fn interests(&mut self) -> Interests {
        let [categories, brands, queries, products] = [(); 4].map(|()| self.texts());
        Interests { categories, brands, queries, products }
    }

    fn texts(&mut self) -> Vec<Box<str>> {
        (0..self.number()).map(|_| self.text()).collect()
    }

    fn evidence(&mut self) -> Evidence {
        let number = self.number();
        Evidence { comparison: ComparisonId((number >> 1) as u16), holds: number & 1 == 1, value: self.readings() }
    }

    fn readings(&mut self) -> Readings {
        match self.byte() {
            TWO => Readings::Two(Box::new([0, 1].map(|_| {
                let tag = self.byte();
                self.reading(tag)
            }))),
            tag => Readings::One(self.reading(tag)),
        }
    }

    fn reading(&mut self, tag: u8) -> Quantity {
        match tag {
            ABSENT => Quantity::Absent,
            NEVER => Quantity::Never,
            FALSE | TRUE => Quantity::Flag(tag == TRUE),
            NUMBER => Quantity::Number(Amount(self.signed())),
            DURATION => Quantity::Duration(Span(self.signed())),
            _ => Quantity::Text(self.text()),
        }
    }

    fn signed(&mut self) -> i64 {
        let number = self.number();
        (number >> 1) as i64 ^ -((number & 1) as i64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_segment() -> impl Strategy<Value = Option<SegmentId>> {
        prop::option::of(any::<u8>().prop_map(SegmentId))
    }

    fn any_evidence() -> impl Strategy<Value = Evidence> {
        (any::<u16>(), any_readings(), any::<bool>()).prop_map(|(comparison, value, holds)| Evidence {
            comparison: ComparisonId(comparison),
            value,
            holds,
        })
    }

    fn any_readings() -> impl Strategy<Value = Readings> {
        prop_oneof![
            any_reading().prop_map(Readings::One),
            [any_reading(), any_reading()].prop_map(|sides| Readings::Two(Box::new(sides))),
        ]
    }

    fn any_reading() -> impl Strategy<Value = Quantity> {
        prop_oneof![
            Just(Quantity::Absent),
            Just(Quantity::Never),
            any::<bool>().prop_map(Quantity::Flag),
            any::<i64>().prop_map(|number| Quantity::Number(Amount(number))),
            any::<i64>().prop_map(|span| Quantity::Duration(Span(span))),
            ".{0,9}".prop_map(|text| Quantity::Text(text.into())),
        ]
    }

    fn any_texts() -> impl Strategy<Value = Vec<Box<str>>> {
        prop::collection::vec(".{0,9}".prop_map(String::into), 0..3)
    }

    fn any_interests() -> impl Strategy<Value = Interests> {
        [any_texts(), any_texts(), any_texts(), any_texts()]
            .prop_map(|[categories, brands, queries, products]| Interests { categories, brands, queries, products })
    }

    prop_compose! {
        fn any_change()(
            customer in "[a\u{0}\u{1}é]{1,4}",
            sequence in any::<u64>(),
            dimension in any::<u8>(),
            (from, to) in (any_segment(), any_segment()),
            from_since in prop::option::of(0..4_102_444_800_000_i64),
            effective_at in -2..3_i64,
            cause in prop::sample::select(CAUSES.to_vec()),
            evidence in prop::collection::vec(any_evidence(), 0..6),
            reason in prop::option::of(".{0,9}"),
            interests in prop::option::of(any_interests()),
            standing in prop::collection::vec(any_segment(), 0..4),
        ) -> Change {
            Change {
                customer: customer.into(), sequence, dimension: DimensionId(dimension), from, to,
                from_since: from_since.map(Instant), effective_at: Instant(effective_at), cause, evidence: evidence.into(),
                reason: reason.map(String::into),
                interests: interests.map(Box::new),
                standing: standing.into(),
            }
        }
    }

    fn any_origin() -> impl Strategy<Value = Option<Origin>> {
        prop::option::of((any::<u16>(), any::<u64>()).prop_map(|(file, line)| Origin { file: file.into(), line }))
    }

    fn key(change: &Change) -> Vec<u8> {
        let mut key = Vec::new();
        pack_key(change, &mut key);
        key
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_back(before in any_change(), change in any_change(), origin in any_origin()) {
            let mut payload = Vec::new();
            pack(&change, origin, &mut payload);
            // Whatever was unpacked before.
            let mut found = before;
            prop_assert_eq!(unpack(&key(&change), &payload, &mut found), origin);
            prop_assert_eq!(found, change);
        }

        #[test]
        fn keys_compare_as_instant_customer_sequence(a in any_change(), b in any_change()) {
            let plain = |change: &Change| (change.effective_at, change.customer.clone(), change.sequence);
            prop_assert_eq!(key(&a).cmp(&key(&b)), plain(&a).cmp(&plain(&b)));
        }
    }
}
