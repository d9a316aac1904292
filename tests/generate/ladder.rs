//! Rules for a crowd of events: ladders of thresholds, so that each bucket that leaves shows in a change.

use super::random::Random;
use super::world::{World, length};

pub fn rules(world: &World, random: &mut Random) -> String {
    let mut text = format!("timezone = \"{}\"\n", world.zone);
    let longest = *world.windows.last().expect("a window");
    let (long, any) = (length(longest), length(random.pick(&world.windows)));
    let of = random.pick(&["purchase", "purchase.where(channel == \"web\" || order_amount >= -1000)"]);
    let mut features = vec![
        (format!("{of}.count(\"{long}\")"), random.pick(&[20, 45]), 24),
        (format!("{of}.count(\"{any}\")"), random.pick(&[31, 47]), 24),
        (format!("{of}.days(\"{long}\")"), 1, 12),
        (format!("{of}.sum(\"{long}\")"), random.pick(&[3000, 7000]), 24),
        (format!("{of}.top(category, \"{long}\")"), random.pick(&[10, 20]), 24),
        (format!("{of}.max(\"{long}\") - {of}.min(\"{any}\") + {of}.avg(\"{long}\")"), 50, 24),
    ];
    for number in 0..3 {
        let (feature, step, n_steps) = features.swap_remove(random.below(features.len()));
        text.push_str(&format!("\n[[dimension]]\nname = \"d{number}\"\n"));
        for rung in (1..=n_steps).rev() {
            let threshold = rung * step;
            text.push_str(&format!("[[dimension.segment]]\nname = \"g{rung}\"\nwhen = '{feature} >= {threshold}'\n"));
        }
    }
    text
}
