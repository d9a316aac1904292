//! Natural breaks: numbers cut into classes such that each differs as little as possible from its class's mean. Exact:
//! the least sum of squares over all ways to cut, by dynamic programming (W. D. Fisher 1958, J. Am. Stat. Assoc. 53,
//! 789–798; known from maps as Jenks' method).

/// A cut: where each class but the first begins, and how much of the variance the classes explain, 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Breaks {
    /// Into the values, ascending.
    pub starts: Vec<usize>,
    pub fit: f64,
}

/// Cuts distinct ascending values, each with how often it is there, into `n_classes`; there are at least as many values.
pub fn natural(values: &[(f64, u64)], n_classes: usize) -> Breaks {
    assert!(n_classes >= 1 && values.len() >= n_classes, "{} values in {n_classes} classes", values.len());
    let sums = Sums::new(values);
    let n = values.len();
    // The least cost of the first `end` values in as many classes as there were rounds, and where the last one begins.
    let mut least: Vec<f64> = (0..=n).map(|end| sums.cost(0, end)).collect();
    let mut last_starts = Vec::new();
    for class in 1..n_classes {
        let mut round =
            Round { sums: &sums, before: &least, least: vec![f64::INFINITY; n + 1], starts: vec![class; n + 1] };
        round.solve(class + 1, n, class, n - 1);
        (least, last_starts) = (round.least, [last_starts, vec![round.starts]].concat());
    }
    let total = sums.cost(0, n);
    let fit = if total > 0.0 { 1.0 - least[n] / total } else { 1.0 };
    let mut starts = Vec::new();
    let mut end = n;
    for round in last_starts.iter().rev() {
        end = round[end];
        starts.push(end);
    }
    starts.reverse();
    Breaks { starts, fit }
}

/// Running sums, from which the cost of any class follows.
struct Sums {
    /// Of counts, values and squares of the first so many values.
    sums: Vec<(f64, f64, f64)>,
}

impl Sums {
    fn new(values: &[(f64, u64)]) -> Sums {
        // Around a value in the middle, so that large ones that differ little lose no digits.
        let origin = values[values.len() / 2].0;
        let mut sums = vec![(0.0, 0.0, 0.0)];
        let (mut count, mut sum, mut square) = (0.0, 0.0, 0.0);
        for (value, n) in values {
            let (value, n) = (value - origin, *n as f64);
            (count, sum, square) = (count + n, sum + n * value, square + n * value * value);
            sums.push((count, sum, square));
        }
        Sums { sums }
    }

    /// The sum of squares around the mean.
    fn cost(&self, start: usize, end: usize) -> f64 {
        let (from, to) = (self.sums[start], self.sums[end]);
        let (count, sum, square) = (to.0 - from.0, to.1 - from.1, to.2 - from.2);
        if count == 0.0 { 0.0 } else { (square - sum * sum / count).max(0.0) }
    }
}

/// One class more. The best start of the last class moves up with the end, so the middle divides the work.
struct Round<'a> {
    sums: &'a Sums,
    before: &'a [f64],
    least: Vec<f64>,
    starts: Vec<usize>,
}

impl Round<'_> {
    /// Solves the ends from `first` to `last`, whose classes begin between `low` and `high`.
    fn solve(&mut self, first: usize, last: usize, low: usize, high: usize) {
        if first > last {
            return;
        }
        let end = first.midpoint(last);
        for start in low..=high.min(end - 1) {
            let cost = self.before[start] + self.sums.cost(start, end);
            if cost < self.least[end] {
                (self.least[end], self.starts[end]) = (cost, start);
            }
        }
        let best = self.starts[end];
        self.solve(first, end - 1, low, best);
        self.solve(end + 1, last, best, high);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ones(values: &[f64]) -> Vec<(f64, u64)> {
        values.iter().map(|value| (*value, 1)).collect()
    }

    #[test]
    fn groups_that_lie_apart_are_found() {
        let breaks = natural(&ones(&[1.0, 2.0, 3.0, 10.0, 11.0, 50.0]), 3);
        assert_eq!(breaks.starts, [3, 5]);
        assert!(breaks.fit > 0.99);
        assert_eq!(natural(&ones(&[4.0]), 1), Breaks { starts: vec![], fit: 1.0 });
    }

    #[test]
    fn many_equal_values_weigh_as_many() {
        // Without weights 0 and 4 would be apart from 9; with them 4 and 9 are near each other.
        assert_eq!(natural(&[(0.0, 100), (4.0, 1), (9.0, 100)], 2).starts, [2]);
        assert_eq!(natural(&[(0.0, 100), (5.0, 100), (9.0, 100)], 2).starts, [1]);
    }

    proptest! {
        #[test]
        fn no_cut_is_better(
            mut values in prop::collection::btree_map(0_u32..1_000, 1_u64..5, 4..14),
            n_classes in 2_usize..=4,
        ) {
            values.insert(1_001, 1);
            let values: Vec<(f64, u64)> = values.into_iter().map(|(value, n)| (f64::from(value), n)).collect();
            let sums = Sums::new(&values);
            let cost = |starts: &[usize]| -> f64 {
                let ends = starts.iter().copied().chain([values.len()]);
                [0].iter().chain(starts).zip(ends).map(|(start, end)| sums.cost(*start, end)).sum()
            };
            let found = cost(&natural(&values, n_classes).starts);
            let mut all: Vec<Vec<usize>> = vec![vec![]];
            for _ in 1..n_classes {
                all = all
                    .into_iter()
                    .flat_map(|starts| {
                        let from = starts.last().map_or(1, |last| last + 1);
                        (from..values.len()).map(move |start| [starts.clone(), vec![start]].concat())
                    })
                    .collect();
            }
            let best = all.iter().map(|starts| cost(starts)).fold(f64::INFINITY, f64::min);
            prop_assert!(found <= best + 1e-6, "{found} and not {best}");
        }
    }
}
