//! `dormouse demo`: the whole pipeline on real events with nothing to install. A broker in this process, a shop that
//! feeds it a year of orders, the service's own pipeline, and a subscriber that shows the changes as it reads them from
//! the output topic.

mod player;
mod screen;
mod shop;
mod shown;
mod story;
mod tally;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::exit::Exit;
use super::number::number;
use super::{output, rules, signals};
use crate::config;
use crate::event::{Format, Instant, Span};
use crate::http;
use crate::kafka::{self, Embedded, Feeder, Subscriber, feeder, subscriber};
use crate::pipeline::{self, Driven, Status, Stop, Wall};
use crate::rules::Plan;
use crate::rules::units::parse_span;
use crate::telemetry;

use player::{Played, Player, Speed};
use screen::Screen;
use shown::Shown;
use story::Told;
use tally::{Arrivals, Latencies};

const HELP: &str = "\
Examples:
  dormouse demo
  dormouse demo --speed 20 --once
  dormouse demo --dimension life_cycle,spend
  dormouse demo --speed max --once -c my-segments.toml > changes.txt

Each line is a change, as a subscriber reads it from the output topic: when, who, in which dimension, from which
segment to which, whether an event or the passing of time made it so, and the facts that decided.
The events are the orders of a real gift wholesaler (D. Chen, Online Retail, UCI, CC BY 4.0).";

const RULES: &str = include_str!("../../../config/segments.toml");
const EVENTS: &str = "shop-events";
const CHANGES: &str = "segment-changes";
const STANDING: &str = "segment-standing";
const REJECTS: &str = "segment-rejects";
const N_PARTITIONS: i32 = 4;
const POLL: Duration = Duration::from_millis(50);
const WATERMARKS_MAX: Duration = Duration::from_secs(10);

/// Arguments of `dormouse demo`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Days of the shop that pass in a second, or max
    #[arg(long, value_name = "DAYS", default_value = "4")]
    speed: Speed,
    /// End when the events end, with a summary; without it time goes on until Ctrl-C
    #[arg(long)]
    once: bool,
    /// How long time goes on after the last event
    #[arg(long, value_name = "DURATION", default_value = "30d", value_parser = span)]
    after: Span,
    /// Rules of your own
    #[arg(short, long, value_name = "SEGMENTS.TOML")]
    config: Option<PathBuf>,
    /// The dimensions whose changes are shown, separated by commas, or all; without it the first one of the rules
    #[arg(long = "dimension", value_name = "NAME", value_delimiter = ',')]
    dimensions: Vec<String>,
    /// Where metrics are shown; port 0 is any free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

fn span(text: &str) -> Result<Span, String> {
    parse_span(text).map_err(|why| why.explain().to_owned())
}

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Embedded(#[from] kafka::embedded::Error),
    #[error(transparent)]
    Feeder(#[from] feeder::Error),
    #[error(transparent)]
    Subscriber(#[from] subscriber::Error),
    #[error(transparent)]
    Pipeline(#[from] pipeline::Error),
    #[error(transparent)]
    Http(#[from] http::Error),
    #[error(transparent)]
    Metrics(#[from] telemetry::AlreadyInstalled),
    #[error("a thread could not be started: {0}")]
    Thread(io::Error),
    #[error("a change cannot be read: {0}")]
    Change(#[from] serde_json::Error),
    #[error(transparent)]
    Screen(#[from] io::Error),
}

/// Plays the demo.
pub fn run(args: Args) -> Exit {
    let Some(plan) = plan(args.config.as_deref()) else { return Exit::Usage };
    let shown = match Shown::of(&args.dimensions, &plan) {
        Ok(shown) => shown,
        Err(why) => {
            eprintln!("error: {why}");
            return Exit::Usage;
        }
    };
    match play(&args, Arc::new(plan), shown) {
        Ok(()) => Exit::Fine,
        Err(Error::Screen(error)) => output::ended(Err(error), Exit::Fine),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::World
        }
    }
}

fn plan(path: Option<&Path>) -> Option<Plan> {
    let Some(path) = path else {
        let loaded =
            config::rules::load_text("config/segments.toml", RULES).expect("the program's own rules are right");
        return Some(loaded.plan);
    };
    rules::load(path)
}

fn play(args: &Args, plan: Arc<Plan>, shown: Shown) -> Result<(), Error> {
    let exposition = telemetry::install()?;
    let (status, stop) = (Arc::new(Status::default()), Stop::default());
    let server = http::start(args.listen, http::Sources { status: status.clone(), metrics: exposition })?;
    signals::request_on_signal(&stop).map_err(Error::Thread)?;
    introduce(args, server.address());

    let broker = Embedded::start(&[EVENTS, CHANGES, STANDING, REJECTS], N_PARTITIONS)?;
    let start = shop::events().next().map_or(Instant::ORIGIN, |event| event.time);
    let wall = Driven::new(start);
    let settings = settings(&broker.brokers(), wall.clone());
    let arrivals = Arc::new(Arrivals::default());
    let player = Player {
        feeder: Feeder::new(&broker.brokers(), EVENTS)?,
        arrivals: arrivals.clone(),
        wall: wall.clone(),
        status: status.clone(),
        stop: stop.clone(),
        speed: args.speed,
        grace: settings.grace,
        after: args.after,
        is_once: args.once,
    };
    let subscriber = Subscriber::new(&broker.brokers(), CHANGES, N_PARTITIONS)?;
    let (working_status, working_stop) = (status.clone(), stop.clone());
    let working = spawn("pipeline", &stop, move || pipeline::run(settings, plan, &working_status, &working_stop))?;
    let playing = spawn("shop", &stop, move || player.play(shop::events()))?;

    let mut audience = Audience { subscriber, arrivals, latencies: Latencies::default(), screen: Screen::new(shown) };
    let watched = audience.watch(&stop, &wall, &status);
    stop.request();
    let played = join(playing);
    join(working)?;
    watched?;
    audience.finish()?;
    summarise(played?, &mut audience, &status);
    Ok(())
}

/// Starts a thread that requests a stop when it has ended, however it ended.
fn spawn<T: Send + 'static, E: Send + 'static>(
    name: &str,
    stop: &Stop,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<JoinHandle<Result<T, E>>, Error> {
    let stop = stop.clone();
    let work = move || {
        let result = work();
        stop.request();
        result
    };
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(Error::Thread)
}

fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("a panic ends the process before anybody joins")
}

fn settings(brokers: &str, wall: Driven) -> pipeline::Settings {
    let kafka = kafka::Settings {
        brokers: brokers.to_owned(),
        group: "dormouse-demo".to_owned(),
        instance: "demo".to_owned(),
        client: Vec::new(),
        is_embedded: true,
        prefetch_bytes: kafka::PREFETCH_BYTES,
    };
    let input = pipeline::Input { topic: EVENTS.to_owned(), kind: None, format: Format::Json };
    let output = pipeline::Output {
        changes: CHANGES.to_owned(),
        standing: STANDING.to_owned(),
        rejects: REJECTS.to_owned(),
        format: Format::Json,
    };
    let mut settings = pipeline::Settings::new(kafka, vec![input], output);
    settings.wall = Wall::Driven(wall);
    // The shop's clock moves in steps, and the orders of a step are there before it moves.
    settings.max_skew = Span(36_500 * Span::DAY.0);
    settings.ready_lag = settings.max_skew;
    settings
}

fn introduce(args: &Args, address: SocketAddr) {
    let speed = match args.speed {
        Speed::Days(days) => format!("{days} days of the shop pass in a second"),
        Speed::Max => "as fast as it goes".to_owned(),
    };
    eprintln!(
        "A year of a gift shop, 22 190 orders and refunds of 4 372 customers; {speed}.\n\
         Metrics: http://{address}/metrics   Segments: http://{address}/v1/segments   Ctrl-C ends it.\n"
    );
}

/// Reads the changes as they come out, and shows them.
struct Audience {
    subscriber: Subscriber,
    arrivals: Arc<Arrivals>,
    latencies: Latencies,
    screen: Screen,
}

impl Audience {
    /// Until a stop is requested.
    fn watch(&mut self, stop: &Stop, wall: &Driven, status: &Status) -> Result<(), Error> {
        while !stop.is_requested() {
            self.take(POLL)?;
            self.screen.refresh(wall.now(), status);
        }
        Ok(())
    }

    /// What was committed and not read yet.
    fn finish(&mut self) -> Result<(), Error> {
        while !self.subscriber.is_at_end(WATERMARKS_MAX)? {
            while self.take(POLL)? {}
        }
        self.screen.close();
        Ok(())
    }

    fn take(&mut self, timeout: Duration) -> Result<bool, Error> {
        let Some(record) = self.subscriber.poll(timeout)? else { return Ok(false) };
        let told: Told = serde_json::from_slice(&record.payload)?;
        if let (Some(partition), Some(offset)) = (told.cause.partition, told.cause.offset)
            && let Some(at) = self.arrivals.of(partition, offset)
        {
            self.latencies.add(at.elapsed());
        }
        self.screen.change(&told)?;
        Ok(true)
    }
}

fn summarise(played: Played, audience: &mut Audience, status: &Status) {
    let row = |name: &str, value: String| eprintln!("{name:<12} {value}");
    let ms = |latency: Option<Duration>| latency.map_or(0.0, |latency| latency.as_secs_f64() * 1_000.0);
    let (p50, p99) = (audience.latencies.percentile(50), audience.latencies.percentile(99));
    eprintln!();
    row("events", format!("{} until {}", number(played.n_events), played.at));
    row("customers", number(status.n_customers()));
    row("changes", number(audience.screen.n_changes()));
    for (dimension, sizes) in audience.screen.sizes(status) {
        row(&dimension, sizes);
    }
    row(
        "latency",
        format!("p50 {:.1} ms, p99 {:.1} ms, from an event in the log to its change read", ms(p50), ms(p99)),
    );
}
