//! Exact decimals: a signed integer and how many of its digits stand after the point. Never a floating point number.

use std::cmp::Ordering;

const FITS: &str = "rules are checked to stay within 128 bits, and amounts and sums are bounded";

#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    places: u32,
}

impl Decimal {
    pub const ZERO: Decimal = Decimal { mantissa: 0, places: 0 };

    /// `mantissa` with so many digits after the point, and no zeros at their end.
    pub fn new(mut mantissa: i128, mut places: u32) -> Decimal {
        while places > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            places -= 1;
        }
        Decimal { mantissa, places }
    }

    pub fn integer(value: i64) -> Decimal {
        Decimal { mantissa: i128::from(value), places: 0 }
    }

    /// A count of 1/10 000, as amounts are kept.
    pub fn ten_thousandths(value: i128) -> Decimal {
        Decimal { mantissa: value, places: 4 }
    }

    /// In 1/10 000, half to even.
    pub fn rounded(self) -> i128 {
        if self.places <= 4 {
            return self.mantissa * 10i128.pow(4 - self.places);
        }
        let Some(unit) = 10i128.checked_pow(self.places - 4) else { return 0 };
        let (floor, rest) = (self.mantissa.div_euclid(unit), self.mantissa.rem_euclid(unit));
        match (rest * 2).cmp(&unit) {
            Ordering::Less => floor,
            Ordering::Greater => floor + 1,
            Ordering::Equal => floor + floor.rem_euclid(2),
        }
    }

    pub fn plus(self, other: Decimal) -> Decimal {
        let (a, b, places) = Decimal::aligned(self, other);
        Decimal { mantissa: a.checked_add(b).expect(FITS), places }
    }

    pub fn negated(self) -> Decimal {
        Decimal { mantissa: -self.mantissa, ..self }
    }

    pub fn minus(self, other: Decimal) -> Decimal {
        self.plus(other.negated())
    }

    pub fn times(self, other: Decimal) -> Decimal {
        let mantissa = self.mantissa.checked_mul(other.mantissa).expect(FITS);
        Decimal { mantissa, places: self.places + other.places }
    }

    pub fn sign(self) -> Ordering {
        self.mantissa.cmp(&0)
    }

    /// The whole part of `self / divisor`, towards minus infinity; the divisor is not zero.
    pub fn floor_div(self, divisor: Decimal) -> i128 {
        let (a, b, _) = Decimal::aligned(self, divisor);
        let quotient = a.div_euclid(b);
        if b < 0 && a.rem_euclid(b) != 0 { quotient - 1 } else { quotient }
    }

    fn aligned(a: Decimal, b: Decimal) -> (i128, i128, u32) {
        let places = a.places.max(b.places);
        let scaled = |x: Decimal| match places - x.places {
            0 => x.mantissa,
            more => x.mantissa.checked_mul(10i128.pow(more)).expect(FITS),
        };
        (scaled(a), scaled(b), places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_half_to_even_and_divided_towards_minus_infinity() {
        let rounded = |mantissa, places| Decimal::new(mantissa, places).rounded();
        assert_eq!((rounded(125, 6), rounded(375, 6), rounded(-125, 6), rounded(5, 0)), (1, 4, -1, 50_000));
        let div = |a, b| Decimal::integer(a).floor_div(Decimal::integer(b));
        assert_eq!((div(7, 2), div(-7, 2), div(7, -2), div(-7, -2)), (3, -4, -4, 3));
    }

    #[test]
    fn sums_of_different_places_are_exact() {
        let sum = Decimal::new(15, 1).plus(Decimal::new(-1_499_999, 6));
        assert_eq!(sum.minus(Decimal::new(1, 6)).sign(), Ordering::Equal);
        assert_eq!(Decimal::new(25, 1).times(Decimal::ten_thousandths(20_000)).rounded(), 50_000);
    }
}
