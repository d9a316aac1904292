//! What a report looks at beside the rules: the period, and fields and attributes that nobody else would keep.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::reads::{self, Field, Needs, Read};
use crate::config::report::Settings;
use crate::event::{AttributeId, Builtin, Decoder, Instant, KindId, TextField};
use crate::rules::Plan;
use crate::rules::calendar::Calendar;
use crate::rules::plan::DimensionId;

/// What is looked at while a history goes by. Every shard's journal shares one.
#[derive(Debug)]
pub struct Watch {
    pub plan: Arc<Plan>,
    pub settings: Settings,
    /// The period begins after it; absent: with the first event.
    pub from: Option<Instant>,
    /// The period's end, when it is known before.
    pub until: Option<Instant>,
    /// What each segment needs to be known, `[dimension][segment]`.
    pub needs: Vec<Vec<Needs>>,
    /// Fields that are counted, of each kind; sorted.
    pub fields: Vec<(KindId, Field)>,
    /// Profile attributes that are remembered; sorted.
    pub attributes: Vec<AttributeId>,
    pub contact: Vec<AttributeId>,
    pub consent: Vec<AttributeId>,
    pub region: AttributeId,
    /// Of the rules' time zone.
    pub calendar: Calendar,
    /// Names that only the report reads; their ids follow the schema's.
    more_attributes: Vec<Box<str>>,
}

impl Watch {
    pub fn new(plan: Arc<Plan>, settings: Settings, from: Option<Instant>, until: Option<Instant>) -> Watch {
        let dimensions = 0..plan.dimensions.len();
        let needs: Vec<Vec<Needs>> =
            dimensions.map(|index| reads::of_dimension(&plan, DimensionId(index as u8))).collect();
        let all: BTreeSet<Read> = needs.iter().flatten().flat_map(Needs::reads).collect();
        let fields = all
            .iter()
            .filter_map(|read| if let Read::Field(kind, field) = read { Some((*kind, *field)) } else { None });
        let fields = fields.collect();
        let mut more_attributes: Vec<Box<str>> = Vec::new();
        let mut id = |name: &str| {
            plan.schema.attribute(name).unwrap_or_else(|| {
                let known = more_attributes.iter().position(|known| **known == *name);
                let index = known.unwrap_or_else(|| {
                    more_attributes.push(name.into());
                    more_attributes.len() - 1
                });
                AttributeId((plan.schema.attributes.len() + index) as u16)
            })
        };
        let contact: Vec<AttributeId> = settings.contact.iter().map(|name| id(name)).collect();
        let consent: Vec<AttributeId> = settings.consent.iter().map(|name| id(name)).collect();
        let region = id(&settings.region);
        let mut attributes: Vec<AttributeId> = plan.profile.iter().chain(&contact).chain(&consent).copied().collect();
        attributes.sort_unstable();
        attributes.dedup();
        let calendar = Calendar::new(&plan.zone);
        Watch {
            plan,
            settings,
            from,
            until,
            needs,
            fields,
            attributes,
            contact,
            consent,
            region,
            calendar,
            more_attributes,
        }
    }

    /// A decoder that keeps what the rules read and what the report does.
    pub fn decoder(&self) -> Decoder {
        let mut schema = self.plan.schema.clone();
        for kind in &mut schema.kinds {
            kind.texts[TextField::Country as usize] |= self.is_region_of_events();
            if matches!(kind.builtin, Builtin::Purchase | Builtin::Refund) {
                for field in self.settings.habits.iter().filter_map(|habit| habit.field()) {
                    kind.texts[field as usize] = true;
                    kind.lines |= is_of_lines(field);
                }
            }
            kind.attributes |= kind.builtin == Builtin::Profile;
        }
        Decoder::new(&schema).keeping(&self.more_attributes)
    }

    /// Whether events say where a customer is, beside profiles.
    pub fn is_region_of_events(&self) -> bool {
        *self.settings.region == *TextField::Country.name()
    }

    pub fn builtin(&self, kind: KindId) -> Builtin {
        self.plan.schema.kinds[usize::from(kind.0)].builtin
    }
}

/// Whether a line can have a value of its own.
pub fn is_of_lines(field: TextField) -> bool {
    matches!(field, TextField::Product | TextField::Category | TextField::Brand)
}
