//! Sets of small numbers, a bit each, in words of 64.

pub fn contains(words: &[u64], number: usize) -> bool {
    words[number / 64] & (1 << (number % 64)) != 0
}

pub fn set(words: &mut [u64], number: usize, is_in: bool) {
    let bit = 1 << (number % 64);
    let word = &mut words[number / 64];
    *word = if is_in { *word | bit } else { *word & !bit };
}

/// The first one from a number on.
pub fn next(words: &[u64], from: usize) -> Option<usize> {
    let mut word = from / 64;
    let mut bits = words.get(word)? >> (from % 64) << (from % 64);
    while bits == 0 {
        word += 1;
        bits = *words.get(word)?;
    }
    Some(word * 64 + bits.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_set_is_found_in_order(numbers in prop::collection::btree_set(0_usize..256, 0..40), out in 0_usize..256) {
            let mut words = [0; 4];
            numbers.iter().for_each(|number| set(&mut words, *number, true));
            set(&mut words, out, false);
            let left: BTreeSet<usize> = numbers.into_iter().filter(|number| *number != out).collect();
            prop_assert!((0..256).all(|number| contains(&words, number) == left.contains(&number)));
            let found = std::iter::successors(next(&words, 0), |last| next(&words, last + 1));
            prop_assert!(found.eq(left));
        }
    }
}
