//! Which segments to aim at: the ranking with its parts, and the four tests of each.

use std::fmt::{self, Write};

use super::{Text, shown, width};
use crate::report::model::{Dimension, Measure, Segment};

pub fn targets(dimension: &Dimension, html: &mut String) -> fmt::Result {
    let mut ranked: Vec<&Segment> =
        dimension.segments.iter().filter(|segment| segment.attractiveness.is_some()).collect();
    ranked.sort_by_key(|segment| segment.attractiveness.as_ref().map(|attractiveness| attractiveness.rank));
    html.push_str("<h3>Which to aim at</h3>\n<ol class=\"targets\">\n");
    for segment in ranked {
        target(segment, html)?;
    }
    html.push_str("</ol>\n");
    Ok(())
}

fn target(segment: &Segment, html: &mut String) -> fmt::Result {
    let Some(attractiveness) = &segment.attractiveness else { return Ok(()) };
    let name = Text(shown(segment));
    let (rank, score) = (attractiveness.rank, attractiveness.score.0);
    writeln!(html, "<li><div class=\"head\"><span>{rank}. {name}</span><span>{score:.0}</span></div>")?;
    html.push_str("<div class=\"parts\">");
    for (part, share) in [
        ("size", attractiveness.size),
        ("value", attractiveness.value),
        ("growth", attractiveness.growth),
        ("stability", attractiveness.stability),
    ] {
        let width = width(share.0 / 100.0);
        write!(
            html,
            "<span>{part}</span><span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{width}\"></i></span>"
        )?;
        write!(html, "<span>{:.0}</span>", share.0)?;
    }
    html.push_str("</div>\n<ul>");
    for (test, verdict) in segment.tests.iter().flat_map(|tests| tests.named()) {
        let (class, mark) = match verdict.passes {
            Some(true) => ("yes", "✓"),
            Some(false) => ("no", "✗ not"),
            None => ("quiet", "– not asked:"),
        };
        write!(html, "<li><span class=\"{class}\">{mark} {test}</span>")?;
        if verdict.passes == Some(false) {
            let failing = verdict.measures.iter().filter(|measure| measure.passes == Some(false));
            let why: Vec<String> = failing.map(Measure::said).collect();
            write!(html, " <span class=\"quiet\">{}</span>", Text(&why.join("; ")))?;
        }
        html.push_str("</li>");
    }
    html.push_str("</ul></li>\n");
    Ok(())
}
