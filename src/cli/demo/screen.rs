//! What the viewer sees: a line a change on standard output, and on a terminal a few lines at the bottom that say how the
//! shop is. A person cannot read hundreds of lines a second, so a terminal gets as many as can be followed and the
//! number of those left out; a file or a pipe gets all.

use std::io::{self, Write};
use std::time::{Duration, Instant as Moment};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::shown::Shown;
use super::story::{self, Told};
use crate::cli::number::number;
use crate::cli::paint::{Paint, Tone};
use crate::cli::terminal;
use crate::event::Instant;
use crate::pipeline::Status;

/// Lines of changes a second that a terminal gets.
const LINES_PER_SECOND: f64 = 30.0;
/// How often the bottom is drawn anew.
const REDRAW: Duration = Duration::from_millis(200);

/// The viewer's screen.
pub struct Screen {
    shown: Shown,
    bottom: ProgressBar,
    /// Of the changes, on standard output.
    paint: Paint,
    /// Lines that may be printed now; infinite where nobody has to follow them.
    allowance: f64,
    refilled: Moment,
    drawn: Moment,
    n_events_drawn: u64,
    n_changes: u64,
    n_left_out: u64,
}

impl Screen {
    pub fn new(shown: Shown) -> Screen {
        let is_followed = terminal::is_stdout();
        let target = if is_followed && terminal::is_stderr() {
            ProgressDrawTarget::stderr_with_hz(10)
        } else {
            ProgressDrawTarget::hidden()
        };
        let bottom = ProgressBar::with_draw_target(None, target);
        bottom.set_style(ProgressStyle::with_template("{msg}").expect("the template is a constant"));
        let now = Moment::now();
        Screen {
            shown,
            bottom,
            paint: Paint { is_on: terminal::colours_stdout() },
            allowance: if is_followed { LINES_PER_SECOND } else { f64::INFINITY },
            refilled: now,
            drawn: now,
            n_events_drawn: 0,
            n_changes: 0,
            n_left_out: 0,
        }
    }

    pub fn n_changes(&self) -> u64 {
        self.n_changes
    }

    /// Shows a change, or counts it when the viewer could not follow.
    pub fn change(&mut self, told: &Told) -> io::Result<()> {
        self.n_changes += 1;
        if !self.shown.has(&told.dimension) {
            return Ok(());
        }
        let now = Moment::now();
        self.allowance += now.duration_since(self.refilled).as_secs_f64() * LINES_PER_SECOND;
        if self.allowance.is_finite() {
            self.allowance = self.allowance.min(LINES_PER_SECOND);
        }
        self.refilled = now;
        if self.allowance < 1.0 {
            self.n_left_out += 1;
            return Ok(());
        }
        self.allowance -= 1.0;
        let line = story::line(told, self.paint);
        self.bottom.suspend(|| writeln!(io::stdout(), "{line}"))
    }

    /// Draws the bottom anew, when it is time to.
    pub fn refresh(&mut self, shop_time: Instant, status: &Status) {
        let elapsed = self.drawn.elapsed();
        if self.bottom.is_hidden() || elapsed < REDRAW {
            return;
        }
        let n_events = status.n_records();
        let per_second = (n_events - self.n_events_drawn) as f64 / elapsed.as_secs_f64();
        (self.drawn, self.n_events_drawn) = (Moment::now(), n_events);
        if n_events == 0 {
            return self.bottom.set_message("\nthe broker starts, and the pipeline joins its group …");
        }
        let left_out = match self.n_left_out {
            0 => String::new(),
            n => format!(", {} of them too fast to show", number(n)),
        };
        let bold = |text: String| self.paint.tone(Tone::Strong, text).to_string();
        let day = shop_time.to_string().get(..10).unwrap_or("").to_owned();
        self.bottom.set_message(format!(
            "\n{}  {} events ({per_second:.0}/s), {} customers\n  {:<10} {}{left_out}{}",
            bold(day),
            bold(number(n_events)),
            bold(number(status.n_customers())),
            "changes",
            bold(number(self.n_changes)),
            self.sizes(status).iter().map(|(name, sizes)| format!("\n  {name:<10} {sizes}")).collect::<String>(),
        ));
    }

    /// Each shown dimension's name, and how many customers each of its segments has now.
    pub fn sizes(&self, status: &Status) -> Vec<(String, String)> {
        sizes(status).into_iter().filter(|(name, _)| self.shown.has(name)).collect()
    }

    /// Takes the bottom away.
    pub fn close(&mut self) {
        self.bottom.finish_and_clear();
    }
}

fn sizes(status: &Status) -> Vec<(String, String)> {
    let (Some(plan), sizes) = (status.plan(), status.sizes()) else { return Vec::new() };
    let line = |(dimension, sizes): (&crate::rules::plan::Dimension, &Vec<u64>)| {
        let names = dimension.segments.iter().map(|segment| &*segment.name).chain(["none"]);
        let sizes = sizes.iter().skip(1).chain(sizes.first());
        let counts: Vec<String> = names.zip(sizes).map(|(name, n)| format!("{name} {}", number(*n))).collect();
        (dimension.name.to_string(), counts.join(", "))
    };
    plan.dimensions.iter().zip(&sizes).map(line).collect()
}
