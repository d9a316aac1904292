//! Which segments are worth aiming at: size, value, growth and stability, each from 0 to 100, by the shop's weights.

use super::measure::NONE;
use super::model::{Attractiveness, Segment, Share};
use crate::config::report::Weights;

/// Gives each segment (not none) its parts, its score, and its rank in the dimension.
///
/// Size and value are against the dimension's largest; growth is 50 for a segment that stays as it is, 100 for one that doubled
/// or was empty, 0 for one that emptied; stability is what is left of 100 after those who leave in 30 days, and after
/// the flaps among them.
pub fn rank(segments: &mut [Segment], weights: &Weights) {
    let named = |segment: &&mut Segment| segment.name != NONE;
    let size_max = segments.iter_mut().filter(named).map(|segment| segment.size).max().unwrap_or(0);
    let value_max = segments.iter_mut().filter(named).map(|segment| segment.value.0).max().unwrap_or(0);
    let mut order: Vec<(f64, usize)> = Vec::new();
    for (index, segment) in segments.iter_mut().enumerate().filter(|(_, segment)| segment.name != NONE) {
        let part = |part: Option<Share>| part.map_or(0.0, |share| share.0.clamp(0.0, 1.0) * 100.0);
        let size = part(Share::of(i128::from(segment.size), i128::from(size_max)));
        let value = part(Share::of(segment.value.0, value_max));
        let (growth, stability) = (growth(segment), stability(segment));
        let weighted =
            [(size, weights.size), (value, weights.value), (growth, weights.growth), (stability, weights.stability)];
        let sum: f64 = weighted.iter().map(|(part, weight)| part * weight.0 as f64).sum();
        let score = sum / weighted.iter().map(|(_, weight)| weight.0 as f64).sum::<f64>();
        order.push((score, index));
        let [score, size, value, growth, stability] = [score, size, value, growth, stability].map(Share);
        segment.attractiveness = Some(Attractiveness { rank: 0, score, size, value, growth, stability });
    }
    // The sort is stable: of two alike the first in the rules comes first.
    order.sort_by(|(one, _), (other, _)| other.total_cmp(one));
    for (rank, (_, index)) in order.into_iter().enumerate() {
        if let Some(attractiveness) = &mut segments[index].attractiveness {
            attractiveness.rank = rank as u32 + 1;
        }
    }
}

fn growth(segment: &Segment) -> f64 {
    match segment.growth {
        Some(growth) => 50.0 * (1.0 + growth.0.clamp(-1.0, 1.0)),
        None if segment.size > 0 => 100.0,
        None => 50.0,
    }
}

fn stability(segment: &Segment) -> f64 {
    let stays = |share: Option<Share>| 1.0 - share.map_or(0.0, |share| share.0.clamp(0.0, 1.0));
    // Of a segment in which nobody ever was, nothing is stable.
    if segment.flow.is_none() { 0.0 } else { 100.0 * stays(segment.flow) * stays(segment.flaps.rate) }
}
