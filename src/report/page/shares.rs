//! How the segments of a dimension divide all customers over time: a stack of bands that is always full, and a legend in
//! the order of the stack.

use std::fmt::{self, Write};

use super::{Text, colour, shown};
use crate::report::model::{Dimension, Sample};
use crate::report::said::{moment, percent};

/// The drawing's own units.
const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 100.0;

pub fn shares(dimension: &Dimension, html: &mut String) -> fmt::Result {
    let samples: Vec<&Sample> = dimension.series.iter().filter(|sample| sample.customers > 0).collect();
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Ok(()) };
    if samples.len() < 2 {
        return Ok(());
    }
    let said = format!("Shares of all customers in the segments of {}", dimension.name);
    html.push_str("<h3>Share over time</h3>\n<figure>\n");
    write!(html, "<svg class=\"shares\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" ")?;
    writeln!(html, "aria-label=\"{0}\"><title>{0}</title>", Text(&said))?;
    let mut below = vec![0; samples.len()];
    for (index, segment) in dimension.segments.iter().enumerate() {
        let sizes = samples.iter().map(|sample| sample.sizes.get(&segment.name).copied().unwrap_or(0));
        let above: Vec<u64> = below.iter().zip(sizes).map(|(below, size)| below + size).collect();
        let said = format!("{}: {} at the end", shown(segment), percent(segment.share));
        let path = band(&samples, &below, &above);
        writeln!(
            html,
            "<path d=\"{path}\" fill=\"{}\"><title>{}</title></path>",
            colour(dimension, index),
            Text(&said)
        )?;
        below = above;
    }
    html.push_str("</svg>\n");
    writeln!(html, "<div class=\"ends\"><span>{}</span><span>{}</span></div>", moment(first.at), moment(last.at))?;
    html.push_str("<ul class=\"legend\">\n");
    for (index, segment) in dimension.segments.iter().enumerate().rev() {
        let (colour, name) = (colour(dimension, index), Text(shown(segment)));
        writeln!(
            html,
            "<li><i style=\"background:{colour}\"></i>{name} <span class=\"quiet\">{}</span></li>",
            Text(&percent(segment.share))
        )?;
    }
    html.push_str(
        "</ul>\n<figcaption>All customers who had come by then, from the top in the order of the legend; beside \
                   each name its share at the end.</figcaption>\n</figure>\n",
    );
    Ok(())
}

/// From left to right along the top, and back along the bottom.
fn band(samples: &[&Sample], below: &[u64], above: &[u64]) -> String {
    let steps = (samples.len() - 1) as f64;
    let point = |(index, stack): (usize, &u64)| {
        let x = WIDTH * index as f64 / steps;
        let y = HEIGHT * (1.0 - *stack as f64 / samples[index].customers as f64);
        format!("{x:.2} {y:.2}")
    };
    let top = above.iter().enumerate().map(point);
    let bottom = below.iter().enumerate().map(point).rev();
    format!("M{}Z", top.chain(bottom).collect::<Vec<_>>().join("L"))
}
