//! Amounts of an event and its lines: which field they stand in, and what they are in the base currency (SPEC 5).
//!
//! It does not know formats or filters.

use super::decoder::{AmountPlace, KindDecoder};
use super::record::{Field, LineField, RawLine, Record};
use super::slot::{Slot, shortened, within_limit};
use super::{Amount, Builtin, Decimal, Instant, Reason, Reject, Schema};

/// What one unit of an event's money is in the base currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rate {
    Base,
    Foreign(Decimal),
}

/// The sum of the lines that were read so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LineSum {
    pub n_lines: usize,
    /// In 1/10 000 of the base currency unit.
    pub total: i128,
}

impl Rate {
    /// The rate of an event's currency at its time; before the first date of a currency it is the first.
    pub fn find(schema: &Schema, record: &Record<'_>, time: Instant) -> Result<Rate, Reject> {
        let Some(currency) = record.slot(Field::Currency).text(Field::Currency.name())? else {
            return Ok(Rate::Base);
        };
        if *currency == *schema.currency {
            return Ok(Rate::Base);
        }
        let rates = schema.rates.get(&*currency).map_or(&[][..], Vec::as_slice);
        let n_begun = rates.partition_point(|(from, _)| *from <= time);
        match rates.get(n_begun.saturating_sub(1)) {
            Some((_, rate)) => Ok(Rate::Foreign(*rate)),
            None => Err(Reject::new(
                Reason::UnknownCurrency,
                format!("no rate for the currency `{}` is configured", shortened(&currency)),
            )),
        }
    }

    /// An amount that was rounded in its own currency, in the base currency.
    pub fn convert(self, amount: Amount, name: &str) -> Result<Amount, Reject> {
        match self {
            Rate::Base => Ok(amount),
            Rate::Foreign(rate) => within_limit(amount.at_rate(rate), name),
        }
    }
}

/// A line's amount: its own, else unit price times quantity; absent with neither.
pub(super) fn line_amount(line: &RawLine<'_>, rate: Rate) -> Result<Option<Amount>, Reject> {
    let own = line[LineField::Amount as usize].amount("items.amount")?;
    let price = line[LineField::UnitPrice as usize];
    let amount = match (own, price) {
        (None, Slot::Absent) => None,
        (Some(own), price) => {
            price.number("items.unit_price")?;
            Some(own)
        }
        (None, price) => {
            let price = price.decimal_text("items.unit_price")?;
            let quantity = line[LineField::Quantity as usize].decimal_text("items.quantity")?;
            let product = Amount::parse_product(price.as_deref().unwrap_or("0"), quantity.as_deref().unwrap_or("1"));
            Some(within_limit(product, "items.unit_price × quantity")?)
        }
    };
    amount.map(|amount| rate.convert(amount, "items.amount")).transpose()
}

/// The kind's amount of an event, in the base currency.
pub(super) fn event_amount(
    kind: &KindDecoder,
    record: &Record<'_>,
    rate: Rate,
    lines: LineSum,
) -> Result<Option<Amount>, Reject> {
    let own = match kind.amount {
        AmountPlace::None => return Ok(None),
        AmountPlace::Field(Field::Rating) => record.slot(Field::Rating).amount(Field::Rating.name())?,
        AmountPlace::Field(field) => money(record.slot(field), field.name(), rate)?,
        AmountPlace::Extra(number) => money(record.extra(number), &kind.amount_name, rate)?,
    };
    let amount = match (own, kind.builtin) {
        (Some(own), _) => own,
        (None, Builtin::Purchase | Builtin::Refund) if lines.n_lines > 0 => {
            let sum = i64::try_from(lines.total).map(Amount).ok().filter(|sum| sum.is_within_limit());
            sum.ok_or_else(|| Reject::new(Reason::AmountOutOfRange, "the sum of `items` is beyond ±10^10"))?
        }
        (None, Builtin::Purchase | Builtin::Refund) => {
            return Err(Reject::new(Reason::NoAmount, format!("neither `{}` nor a line in `items`", kind.amount_name)));
        }
        (None, Builtin::Feedback) if kind.amount == AmountPlace::Field(Field::Rating) => {
            return Err(Reject::new(Reason::NoAmount, "no `rating`"));
        }
        (None, _) => Amount::ZERO,
    };
    Ok(Some(if kind.builtin == Builtin::Refund { Amount(amount.0.abs()) } else { amount }))
}

fn money(slot: Slot<'_>, name: &str, rate: Rate) -> Result<Option<Amount>, Reject> {
    slot.amount(name)?.map(|amount| rate.convert(amount, name)).transpose()
}
