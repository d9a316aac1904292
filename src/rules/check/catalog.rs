//! What the rules need, each thing once: series, features, comparisons, attributes, and which fields decoders keep.
//! Grows while expressions are checked; ids are given in the order of first use.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::{AttributeId, Builtin, KindId, Span, TextField};
use crate::rules::plan::{
    Comparison, ComparisonId, Feature, FeatureId, Filter, Measure, Series, SeriesId, Test, Totals,
};

/// What a kind's events are read for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reads {
    pub texts: [bool; TextField::ALL.len()],
    pub lines: bool,
    pub attributes: bool,
}

impl Reads {
    /// With what makes an event of the kind an item (see `engine::facts::interests`).
    pub fn with_items(mut self, kind: Builtin) -> Reads {
        match kind {
            Builtin::Purchase | Builtin::Browse | Builtin::Search | Builtin::Custom => {
                for field in [TextField::Product, TextField::Category, TextField::Brand, TextField::Query] {
                    self.texts[field as usize] |= field.is_of(kind);
                }
                self.lines |= kind == Builtin::Purchase;
            }
            Builtin::Refund | Builtin::Feedback | Builtin::Profile => {}
        }
        self
    }
}

#[derive(Debug, Default)]
pub struct Catalog {
    pub series: Vec<Series>,
    pub features: Vec<Feature>,
    pub comparisons: Vec<Comparison>,
    /// Sorted.
    pub attributes: Vec<Box<str>>,
    pub profile: BTreeSet<AttributeId>,
    /// Indexed by kind.
    pub reads: Vec<Reads>,
    /// More of something than ids can count; the plan must not be used.
    pub overflowed: bool,
    series_ids: BTreeMap<(KindId, Option<Filter>), SeriesId>,
    feature_ids: BTreeMap<Feature, FeatureId>,
    comparison_ids: BTreeMap<(Box<str>, Test), ComparisonId>,
}

impl Catalog {
    /// `attributes`: all names that the expressions read.
    pub fn new(n_kinds: usize, attributes: &BTreeSet<&str>) -> Catalog {
        Catalog {
            attributes: attributes.iter().map(|name| (*name).into()).collect(),
            overflowed: attributes.len() > usize::from(u16::MAX),
            reads: vec![Reads::default(); n_kinds],
            ..Catalog::default()
        }
    }

    /// Every attribute that is read was announced to [`Catalog::new`].
    pub fn attribute(&mut self, name: &str) -> AttributeId {
        let index = self.attributes.binary_search_by(|known| (**known).cmp(name));
        AttributeId(index.expect("all attributes are collected before expressions are checked") as u16)
    }

    pub fn profile_attribute(&mut self, name: &str, profile: KindId) -> AttributeId {
        let attribute = self.attribute(name);
        self.profile.insert(attribute);
        self.reads[profile.0 as usize].attributes = true;
        attribute
    }

    pub fn series(&mut self, kind: KindId, filter: Option<Filter>) -> SeriesId {
        if let Some(known) = self.series_ids.get(&(kind, filter.clone())) {
            return *known;
        }
        let series = Series {
            kind,
            filter: filter.clone(),
            longest_window: Span(0),
            buckets: Default::default(),
            totals: Totals::default(),
            values: Vec::new(),
        };
        self.series.push(series);
        let id = SeriesId(id_of(&mut self.overflowed, self.series.len()));
        self.series_ids.insert((kind, filter), id);
        id
    }

    fn series_mut(&mut self, id: SeriesId) -> &mut Series {
        &mut self.series[id.0 as usize]
    }

    /// Index of a field's values in the series' buckets.
    pub fn values(&mut self, id: SeriesId, field: TextField) -> u8 {
        let values = &mut self.series_mut(id).values;
        let index = values.iter().position(|known| *known == field).unwrap_or_else(|| {
            values.push(field);
            values.len() - 1
        });
        index as u8
    }

    pub fn window(&mut self, id: SeriesId, measure: Measure, window: Span) -> FeatureId {
        let series = self.series_mut(id);
        series.longest_window = series.longest_window.max(window);
        match measure {
            Measure::Sum | Measure::Avg => series.buckets.sum = true,
            Measure::Max => series.buckets.max = true,
            Measure::Min => series.buckets.min = true,
            Measure::Count | Measure::Days | Measure::Distinct(_) | Measure::Top(_) => {}
        }
        self.feature(Feature::Window { series: id, measure, window })
    }

    pub fn ever(&mut self, id: SeriesId, measure: Measure) -> FeatureId {
        let totals = &mut self.series_mut(id).totals;
        match measure {
            Measure::Count => totals.count = true,
            Measure::Sum => totals.sum = true,
            Measure::Avg => (totals.sum, totals.count) = (true, true),
            Measure::Max => totals.max = true,
            Measure::Min => totals.min = true,
            Measure::Days => totals.days = true,
            // They always have a window.
            Measure::Distinct(_) | Measure::Top(_) => {}
        }
        self.feature(Feature::Ever { series: id, measure })
    }

    pub fn since_last(&mut self, id: SeriesId) -> FeatureId {
        self.series_mut(id).totals.last = true;
        self.feature(Feature::SinceLast(id))
    }

    pub fn since_first(&mut self, id: SeriesId) -> FeatureId {
        self.series_mut(id).totals.first = true;
        self.feature(Feature::SinceFirst(id))
    }

    pub fn gap(&mut self, id: SeriesId) -> FeatureId {
        let totals = &mut self.series_mut(id).totals;
        (totals.first, totals.last, totals.count) = (true, true, true);
        self.feature(Feature::Gap(id))
    }

    pub fn feature(&mut self, feature: Feature) -> FeatureId {
        let (id, overflowed) = intern(&mut self.feature_ids, &mut self.features, feature.clone(), feature, FeatureId);
        self.overflowed |= overflowed;
        id
    }

    pub fn comparison(&mut self, text: Box<str>, test: Test) -> ComparisonId {
        let comparison = Comparison { text: text.clone(), test: test.clone() };
        let (id, overflowed) =
            intern(&mut self.comparison_ids, &mut self.comparisons, (text, test), comparison, ComparisonId);
        self.overflowed |= overflowed;
        id
    }
}

fn intern<K: Ord, V, Id: Copy>(
    ids: &mut BTreeMap<K, Id>,
    values: &mut Vec<V>,
    key: K,
    value: V,
    id: fn(u16) -> Id,
) -> (Id, bool) {
    let mut overflowed = false;
    let id = *ids.entry(key).or_insert_with(|| {
        values.push(value);
        id(id_of(&mut overflowed, values.len()))
    });
    (id, overflowed)
}

/// The id of the last of `len` things.
fn id_of(overflowed: &mut bool, len: usize) -> u16 {
    u16::try_from(len - 1).unwrap_or_else(|_| {
        *overflowed = true;
        u16::MAX
    })
}
