//! Sums of features with exact coefficients while they are put together: decimals of any length, until one scale
//! makes them all integers. Nothing here rounds; what does not fit is refused.

use crate::event::Amount;
use crate::rules::plan::{FeatureId, Linear, Unit};

/// `mantissa` · 10^-`places`, with no zero at the end of the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exact {
    mantissa: i128,
    places: u32,
}

/// The numbers are too large, or have too many decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// Σ|coefficient| on each side of a comparison stays below this, so that 128 bits suffice ([`Linear`]).
const COEFFICIENTS_LIMIT: i128 = 1 << 62;
/// And the constant below this.
const CONSTANT_LIMIT: i128 = 1 << 122;
/// 10^38 is the last power of ten within 128 bits.
const PLACES_MAX: u32 = 38;

impl Exact {
    pub fn new(mantissa: i128, places: u32) -> Exact {
        let mut exact = Exact { mantissa, places };
        while exact.places > 0 && exact.mantissa % 10 == 0 {
            exact = Exact { mantissa: exact.mantissa / 10, places: exact.places - 1 };
        }
        exact
    }

    pub fn integer(value: i64) -> Exact {
        Exact::new(value.into(), 0)
    }

    /// The number that an amount stands for.
    pub fn of(amount: Amount) -> Exact {
        Exact::new(amount.0.into(), 4)
    }

    /// As an amount, when it is one exactly.
    pub fn amount(self) -> Option<Amount> {
        (self.places <= 4).then(|| self.at(4).ok())?.and_then(|value| i64::try_from(value).ok()).map(Amount)
    }

    pub fn negated(self) -> Exact {
        Exact { mantissa: -self.mantissa, ..self }
    }

    pub fn plus(self, other: Exact) -> Result<Exact, TooLarge> {
        let places = self.places.max(other.places);
        let sum = self.at(places)?.checked_add(other.at(places)?).ok_or(TooLarge)?;
        Exact::bounded(sum, places)
    }

    pub fn times(self, other: Exact) -> Result<Exact, TooLarge> {
        let product = self.mantissa.checked_mul(other.mantissa).ok_or(TooLarge)?;
        Exact::bounded(product, self.places + other.places)
    }

    fn bounded(mantissa: i128, places: u32) -> Result<Exact, TooLarge> {
        let exact = Exact::new(mantissa, places);
        let fits = exact.places <= PLACES_MAX && exact.mantissa.unsigned_abs() < CONSTANT_LIMIT.unsigned_abs();
        if fits { Ok(exact) } else { Err(TooLarge) }
    }

    /// The integer that it is when multiplied by 10^`places`, which must be at least its own.
    fn at(self, places: u32) -> Result<i128, TooLarge> {
        let factor = 10_i128.checked_pow(places - self.places).ok_or(TooLarge)?;
        self.mantissa.checked_mul(factor).ok_or(TooLarge)
    }
}

/// A sum of features, in its unit's own integer (1/10 000 or ms).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    pub unit: Unit,
    terms: Vec<(Exact, FeatureId)>,
    constant: Exact,
}

impl Form {
    pub fn number(amount: Amount) -> Form {
        Form { unit: Unit::Number, terms: Vec::new(), constant: Exact::integer(amount.0) }
    }

    pub fn duration(ms: i64) -> Form {
        Form { unit: Unit::Duration, terms: Vec::new(), constant: Exact::integer(ms) }
    }

    pub fn feature(unit: Unit, feature: FeatureId) -> Form {
        Form { unit, terms: vec![(Exact::integer(1), feature)], constant: Exact::integer(0) }
    }

    /// No feature in it.
    pub fn is_literal(&self) -> bool {
        self.terms.is_empty()
    }

    pub fn negated(mut self) -> Form {
        self.terms.iter_mut().for_each(|(coefficient, _)| *coefficient = coefficient.negated());
        self.constant = self.constant.negated();
        self
    }

    /// Of the same unit. A feature that cancels out keeps its place with coefficient zero.
    pub fn plus(mut self, other: Form) -> Result<Form, TooLarge> {
        for (coefficient, feature) in other.terms {
            match self.terms.iter_mut().find(|(_, known)| *known == feature) {
                Some((known, _)) => *known = known.plus(coefficient)?,
                None => self.terms.push((coefficient, feature)),
            }
        }
        self.constant = self.constant.plus(other.constant)?;
        Ok(self)
    }

    /// Times a number that has no feature in it.
    pub fn times(mut self, factor: &Form) -> Result<Form, TooLarge> {
        let factor = Exact::new(factor.constant.mantissa, factor.constant.places + 4);
        for (coefficient, _) in &mut self.terms {
            *coefficient = coefficient.times(factor)?;
        }
        self.constant = self.constant.times(factor)?;
        Ok(self)
    }

    fn places(&self) -> u32 {
        let coefficients = self.terms.iter().map(|(coefficient, _)| coefficient.places);
        coefficients.chain([self.constant.places]).max().unwrap_or(0)
    }

    fn at(&self, places: u32) -> Result<Linear, TooLarge> {
        let mut linear = Linear { terms: Vec::with_capacity(self.terms.len()), constant: self.constant.at(places)? };
        let mut total: i128 = 0;
        for (coefficient, feature) in &self.terms {
            let coefficient = coefficient.at(places)?;
            total = total.saturating_add(coefficient.saturating_abs());
            linear.terms.push((coefficient, *feature));
        }
        if total >= COEFFICIENTS_LIMIT || linear.constant.saturating_abs() >= CONSTANT_LIMIT {
            return Err(TooLarge);
        }
        Ok(linear)
    }
}

/// Brings forms to one scale, on which all are integers.
pub fn on_one_scale(forms: &[&Form]) -> Result<(Vec<Linear>, i128), TooLarge> {
    let places = forms.iter().map(|form| form.places()).max().unwrap_or(0);
    let scale = 10_i128.checked_pow(places).ok_or(TooLarge)?;
    let linears = forms.iter().map(|form| form.at(places)).collect::<Result<_, _>>()?;
    Ok((linears, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amount(text: &str) -> Amount {
        crate::rules::units::parse_number(text).expect("a number")
    }

    #[test]
    fn decimals_stay_exact() {
        let third = Exact::of(amount("0.3333"));
        assert_eq!(third.times(third), Ok(Exact::new(11_108_889, 8)));
        assert_eq!(third.plus(Exact::of(amount("0.6667"))), Ok(Exact::integer(1)));
        assert_eq!(Exact::of(amount("2.5")).amount(), Some(Amount(25_000)));
        assert_eq!(third.times(third).expect("fits").amount(), None);
    }

    #[test]
    fn one_scale_makes_all_integers() {
        let x = Form::feature(Unit::Number, FeatureId(7));
        let left = x.clone().times(&Form::number(amount("0.3"))).expect("fits");
        let right = Form::number(amount("2.5")).plus(x.times(&Form::number(amount("0.25"))).expect("fits"));
        let (linears, scale) = on_one_scale(&[&left, &right.expect("fits")]).expect("fits");
        assert_eq!(scale, 100);
        assert_eq!(linears[0], Linear { terms: vec![(30, FeatureId(7))], constant: 0 });
        assert_eq!(linears[1], Linear { terms: vec![(25, FeatureId(7))], constant: 2_500_000 });
    }

    #[test]
    fn what_cancels_out_keeps_its_place() {
        let x = Form::feature(Unit::Duration, FeatureId(1));
        let zero = x.clone().plus(x.negated()).expect("fits");
        let (linears, scale) = on_one_scale(&[&zero]).expect("fits");
        assert_eq!((scale, &linears[0].terms), (1, &vec![(0, FeatureId(1))]));
    }

    #[test]
    fn too_large_is_refused() {
        let big = Form::number(amount("900000000000000"));
        let mut product = Form::feature(Unit::Number, FeatureId(0));
        product = product.times(&big).expect("fits");
        assert_eq!(product.clone().times(&big).and_then(|form| on_one_scale(&[&form])), Err(TooLarge));
        let mut tiny = Form::feature(Unit::Number, FeatureId(0));
        for _ in 0..4 {
            tiny = tiny.times(&Form::number(amount("0.0001"))).expect("fits");
        }
        assert!(on_one_scale(&[&tiny]).is_ok());
        assert_eq!(on_one_scale(&[&tiny, &product]), Err(TooLarge));
    }
}
