//! What the events of a series are called: `purchase`, `purchases in garden with a coupon`.

use super::{Words, text};
use crate::event::{AmountSource, Builtin, TextField};
use crate::rules::plan::{Series, SeriesId};

/// The events of a series, in the singular and the plural.
pub(super) struct Noun {
    pub one: String,
    pub many: String,
}

impl Noun {
    /// `1 purchase`, `3 purchases`.
    pub fn counted(&self, n: &str) -> String {
        format!("{n} {}", if n == "1" { &self.one } else { &self.many })
    }
}

impl Words<'_> {
    pub(super) fn series(&self, id: SeriesId) -> &Series {
        &self.plan.series[usize::from(id.0)]
    }

    pub(super) fn noun(&self, id: SeriesId) -> Noun {
        let series = self.series(id);
        let kind = &self.plan.schema.kinds[usize::from(series.kind.0)];
        let (one, many) = match kind.builtin {
            Builtin::Purchase => ("purchase".to_owned(), "purchases".to_owned()),
            Builtin::Browse => ("view".to_owned(), "views".to_owned()),
            Builtin::Search => ("search".to_owned(), "searches".to_owned()),
            Builtin::Refund => ("refund".to_owned(), "refunds".to_owned()),
            Builtin::Feedback => ("rating".to_owned(), "ratings".to_owned()),
            Builtin::Profile => ("profile update".to_owned(), "profile updates".to_owned()),
            Builtin::Custom => {
                let name = text::spaced(&kind.name);
                (format!("{name} event"), format!("{name} events"))
            }
        };
        match series.filter.as_ref().map(|filter| self.modifier(series.kind, filter)) {
            Some(modifier) if !modifier.is_empty() => {
                Noun { one: format!("{one} {modifier}"), many: format!("{many} {modifier}") }
            }
            _ => Noun { one, many },
        }
    }

    /// What a kind's amounts are.
    pub(super) fn amount_source(&self, kind: crate::event::KindId) -> &AmountSource {
        &self.plan.schema.kinds[usize::from(kind.0)].amount
    }
}

/// A field in the singular and the plural.
pub(super) fn field(field: TextField) -> (&'static str, &'static str) {
    match field {
        TextField::Product => ("product", "products"),
        TextField::Category => ("category", "categories"),
        TextField::Brand => ("brand", "brands"),
        TextField::Channel => ("channel", "channels"),
        TextField::Country => ("country", "countries"),
        TextField::Device => ("device", "devices"),
        TextField::Coupon => ("coupon", "coupons"),
        TextField::Query => ("phrase", "phrases"),
    }
}
