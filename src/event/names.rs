//! Which of some known names a member of an object has. Nearly always it is told by comparing sixteen bytes of the
//! message, from the quote before the name to the colon after it, with one known name, which its first four letters
//! choose: the name's end need not even be looked for.
//!
//! It does not know what the names stand for.

/// Twice as many as names that are found at once, and a power of two.
const N_PLACES: usize = 64;

/// Names, each with what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Names<T> {
    /// A name stands at the place that its letters choose or, if that was taken, at the next free one. At least half
    /// of them are free.
    places: Box<[Place<T>; N_PLACES]>,
    /// Names that are too short or too long for sixteen bytes, that have escapes in messages, or that are too many.
    others: Vec<(Box<str>, T)>,
}

#[derive(Debug, Clone, Copy)]
struct Place<T> {
    /// `"name":`, the first byte lowest. Of a free place a number that no text is.
    pattern: u128,
    /// Ones where the pattern has bytes.
    mask: u128,
    /// `None`: the place is free.
    meaning: Option<T>,
}

impl<T: Copy> Names<T> {
    /// Of a name that stands twice, the first one counts.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n str, T)>) -> Names<T> {
        let free = Place { pattern: u128::MAX, mask: u128::MAX, meaning: None };
        let mut known = Names { places: Box::new([free; N_PLACES]), others: Vec::new() };
        let mut n_placed = 0;
        for (name, meaning) in names {
            if known.find(name).is_some() {
                continue;
            }
            let needs_escapes = name.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            match quoted(name).filter(|_| n_placed < N_PLACES / 2 && !needs_escapes) {
                None => known.others.push((name.into(), meaning)),
                Some(pattern) => {
                    let mut place = first_place(pattern);
                    while known.places[place].meaning.is_some() {
                        place = next_place(place);
                    }
                    let mask = u128::MAX >> (pattern.leading_zeros() / 8 * 8);
                    known.places[place] = Place { pattern, mask, meaning: Some(meaning) };
                    n_placed += 1;
                }
            }
        }
        known
    }

    /// The name at the start of sixteen bytes, the first one lowest, if it stands in quotes there with a colon right
    /// after it, and is one that [`Names::find_other`] does not find.
    #[inline(always)]
    pub fn find_quoted(&self, text: u128) -> Option<T> {
        self.look_up(text, |known| (text ^ known.pattern) & known.mask == 0)
    }

    #[inline(always)]
    pub fn find_other(&self, name: &str) -> Option<T> {
        self.others.iter().find(|(known, _)| **known == *name).map(|(_, meaning)| *meaning)
    }

    pub fn find(&self, name: &str) -> Option<T> {
        let known = quoted(name).and_then(|text| self.look_up(text, |known| text == known.pattern));
        known.or_else(|| self.find_other(name))
    }

    #[inline(always)]
    fn look_up(&self, text: u128, is_it: impl Fn(&Place<T>) -> bool) -> Option<T> {
        let mut place = first_place(text);
        loop {
            let known = &self.places[place];
            if is_it(known) {
                return known.meaning;
            }
            known.meaning?;
            place = next_place(place);
        }
    }
}

/// By the four letters after the quote; of a name that has three, the other quote is one of them.
#[inline(always)]
fn first_place(text: u128) -> usize {
    let letters = u64::from((text >> 8) as u32);
    (letters.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % N_PLACES
}

#[inline(always)]
fn next_place(place: usize) -> usize {
    (place + 1) % N_PLACES
}

/// A name in quotes with a colon, if four letters choose its place and sixteen bytes can hold it.
#[inline]
fn quoted(name: &str) -> Option<u128> {
    let bytes = name.as_bytes();
    let n = bytes.len();
    // Of two pieces that overlap.
    let word = match (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        (Some(first), Some(last)) if n <= 13 => {
            u128::from(u64::from_le_bytes(*first)) | u128::from(u64::from_le_bytes(*last)) << (8 * (n - 8))
        }
        (Some(_), _) => return None,
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>(), bytes) {
            (Some(first), Some(last), _) => {
                u128::from(u32::from_le_bytes(*first)) | u128::from(u32::from_le_bytes(*last)) << (8 * (n - 4))
            }
            (_, _, &[a, b, c]) => u128::from(u32::from_le_bytes([a, b, c, 0])),
            _ => return None,
        },
    };
    let quote = u128::from(b'"');
    Some(quote | word << 8 | quote << (8 * (n + 1)) | u128::from(b':') << (8 * (n + 2)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_any_length_are_found_and_no_others() {
        let names =
            ["", "a", "ab", "abc", "abcd", "abce", "thirteen_byte", "fourteen_bytes", "ö", "a\"bc", "a\\bc", "abc"];
        let known = Names::new(names.into_iter().zip(0..));
        for (index, name) in names.iter().take(11).enumerate() {
            assert_eq!(known.find(name), Some(index), "{name}");
        }
        for name in
            ["b", "a\0", "\0", "abd", "abcf", "abc\"", "abc\":x", "thirteen_byt", "thirteen_bytex", "fourteen_byte"]
        {
            assert_eq!(known.find(name), None, "{name}");
        }
        assert_eq!(Names::<u8>::new([]).find("a"), None);
        assert_eq!(known.find_quoted(u128::from_le_bytes(*b"\"abcd\":12345678}")), Some(4));
        // This one has an escape.
        assert_eq!(known.find_quoted(u128::from_le_bytes(*b"\"a\\bc\":12345678}")), None);
        assert_eq!(known.find_quoted(u128::MAX), None);
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_a_list_says(
            names in prop::collection::vec("[a-c]{0,4}|[a-b]{12,15}", 0..400), name in "[a-c]{0,4}|[a-b]{12,15}", rest in "\\PC{16}",
        ) {
            let known = Names::new(names.iter().map(String::as_str).zip(0..));
            let expected = names.iter().position(|known| *known == name);
            prop_assert_eq!(known.find(&name), expected);
            let text = format!("\"{name}\":{rest}");
            let first = text.as_bytes().first_chunk().expect("long enough");
            let quoted = known.find_quoted(u128::from_le_bytes(*first));
            prop_assert_eq!(quoted.or(known.find_other(&name)), expected);
        }
    }
}
