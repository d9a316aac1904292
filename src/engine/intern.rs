//! Values of fields (categories, brands, products, queries) as small numbers, so that a customer's facts hold a byte
//! or two for each. One table a shard; a value once seen stays.

use hashbrown::HashTable;

#[derive(Debug, Default)]
pub struct Interner {
    /// All texts, one behind the other.
    texts: String,
    /// Where each text ends.
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl Interner {
    pub fn intern(&mut self, text: &str) -> u32 {
        let hash = rapidhash::v3::rapidhash_v3(text.as_bytes());
        let Interner { texts, ends, table } = self;
        if let Some(known) = table.find(hash, |index| text_at(texts, ends, *index) == text) {
            return *known;
        }
        let index = ends.len() as u32;
        texts.push_str(text);
        ends.push(u32::try_from(texts.len()).expect("a shard's different values stay under 4 GiB"));
        table.insert_unique(hash, index, |index| rapidhash::v3::rapidhash_v3(text_at(texts, ends, *index).as_bytes()));
        index
    }

    /// How many there are. The first so many never change.
    pub fn n_texts(&self) -> usize {
        self.ends.len()
    }

    /// What was interned as `index`.
    pub fn text(&self, index: u32) -> &str {
        text_at(&self.texts, &self.ends, index)
    }

    pub fn held_bytes(&self) -> usize {
        self.texts.capacity() + self.ends.capacity() * size_of::<u32>() + self.table.allocation_size()
    }
}

fn text_at<'a>(texts: &'a str, ends: &[u32], index: u32) -> &'a str {
    let start = match index {
        0 => 0,
        _ => ends[index as usize - 1] as usize,
    };
    &texts[start..ends[index as usize] as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut names = Interner::default();
        let first: Vec<u32> = (0..1_000).map(|n| names.intern(&n.to_string())).collect();
        let again: Vec<u32> = (0..1_000).map(|n| names.intern(&n.to_string())).collect();
        assert_eq!(first, again);
        assert_eq!(first, (0..1_000).collect::<Vec<u32>>());
        assert_eq!(names.intern(""), 1_000);
        assert_eq!(names.intern(""), 1_000);
        assert_eq!([0, 17, 1_000].map(|index| names.text(index)), ["0", "17", ""]);
    }
}
