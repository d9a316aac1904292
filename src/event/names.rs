//! Which of some known names a member of an object has. Nearly always it is told by comparing sixteen bytes of the
//! message, from the quote before the name to the colon after it, with one known name, which its first four letters
//! choose: the name's end need not even be looked for.
//!
//! It does not know what the names stand for.

/// How a name is found: its first four letters, with the closing quote among them if it has three.
const N_LETTERS: usize = 4;

/// Names, each with what it stands for.
#[derive(Debug, Clone)]
pub(super) struct Names<T> {
    /// A name stands at the place that its letters choose or, if that was taken, at the next free one. A power of two,
    /// and at least half of it is free.
    places: Box<[Option<Known<T>>]>,
    /// Names that are too short or too long.
    others: Vec<(Box<str>, T)>,
}

#[derive(Debug, Clone)]
struct Known<T> {
    /// `"name":` as a number, the first byte lowest.
    pattern: u128,
    /// Ones where the pattern has bytes.
    mask: u128,
    name: Box<str>,
    meaning: T,
}

impl<T: Copy> Names<T> {
    /// Of a name that stands twice, the first one counts.
    pub fn new<'n>(names: impl IntoIterator<Item = (&'n str, T)>) -> Names<T> {
        let names: Vec<(&str, T)> = names.into_iter().collect();
        let n_places = (2 * names.len()).next_power_of_two();
        let mut known = Names { places: (0..n_places).map(|_| None).collect(), others: Vec::new() };
        for (name, meaning) in names {
            if known.find(name).is_some() {
                continue;
            }
            let Some(first) = letters(name) else {
                known.others.push((name.into(), meaning));
                continue;
            };
            let mut bytes = [0; 16];
            let quoted = format!("\"{name}\":");
            bytes[..quoted.len()].copy_from_slice(quoted.as_bytes());
            let mask = u128::MAX >> (8 * (bytes.len() - quoted.len()));
            let mut place = known.first_place(first);
            while known.places[place].is_some() {
                place = known.next_place(place);
            }
            let pattern = u128::from_le_bytes(bytes);
            known.places[place] = Some(Known { pattern, mask, name: name.into(), meaning });
        }
        known
    }

    /// The name at the start of `text`, if it stands in quotes there with a colon right after it, and is one that
    /// [`Names::find_other`] does not find.
    #[inline(always)]
    pub fn find_quoted(&self, text: &[u8; 16]) -> Option<T> {
        let word = u128::from_le_bytes(*text);
        let mut place = self.first_place((word >> 8) as u32);
        while let Some(known) = &self.places[place] {
            if (word ^ known.pattern) & known.mask == 0 {
                return Some(known.meaning);
            }
            place = self.next_place(place);
        }
        None
    }

    /// A name that is too short or too long for sixteen bytes.
    #[inline(always)]
    pub fn find_other(&self, name: &str) -> Option<T> {
        self.others.iter().find(|(known, _)| **known == *name).map(|(_, meaning)| *meaning)
    }

    pub fn find(&self, name: &str) -> Option<T> {
        let Some(first) = letters(name) else { return self.find_other(name) };
        let mut place = self.first_place(first);
        while let Some(known) = &self.places[place] {
            if *known.name == *name {
                return Some(known.meaning);
            }
            place = self.next_place(place);
        }
        None
    }

    #[inline(always)]
    fn first_place(&self, letters: u32) -> usize {
        let mixed = u64::from(letters).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize & (self.places.len() - 1)
    }

    #[inline(always)]
    fn next_place(&self, place: usize) -> usize {
        (place + 1) & (self.places.len() - 1)
    }
}

/// The first letters of a name that sixteen bytes can hold with its quotes and colon.
fn letters(name: &str) -> Option<u32> {
    match name.as_bytes() {
        [a, b, c] => Some(u32::from_le_bytes([*a, *b, *c, b'"'])),
        bytes if bytes.len() <= 13 => bytes.first_chunk::<N_LETTERS>().map(|letters| u32::from_le_bytes(*letters)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_any_length_are_found_and_no_others() {
        let names = ["", "a", "ab", "abc", "abcd", "abce", "thirteen_byte", "fourteen_bytes", "ö", "abc"];
        let known = Names::new(names.into_iter().zip(0..));
        for (index, name) in names.iter().take(9).enumerate() {
            assert_eq!(known.find(name), Some(index), "{name}");
        }
        for name in ["b", "a\0", "\0", "abd", "abcf", "abc\"", "thirteen_byt", "thirteen_bytex", "fourteen_byte"] {
            assert_eq!(known.find(name), None, "{name}");
        }
        assert_eq!(Names::<u8>::new([]).find("a"), None);
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
            let quoted = known.find_quoted(text.as_bytes().first_chunk().expect("long enough"));
            prop_assert_eq!(quoted.or(known.find_other(&name)), expected);
        }
    }
}
