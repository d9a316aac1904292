//! Random events that sit on the edges of the rules: exactly at, one ms before and one ms after what the rules speak of.

use jiff::ToSpan;

use super::random::Random;
use super::record::{body, reject, written_time};
use super::world::{DAY, HOUR, Kind, MINUTE, SECOND, Theme, World};

/// One line of a file, and when it is written, in event time.
struct Written {
    at: i64,
    time: i64,
    kind: &'static str,
    line: String,
}

pub struct History {
    written: Vec<Written>,
}

/// What an event is repeated from.
#[derive(Clone)]
struct Told {
    time: i64,
    kind: Kind,
    id: Option<String>,
    body: String,
}

/// A customer's id, in one of the ways to write it.
struct Name(Vec<String>);

impl Name {
    fn new(number: i64, random: &mut Random) -> Name {
        Name(match random.below(12) {
            0 => vec![(1000 + number).to_string(), format!("\"{}\"", 1000 + number)],
            1 => vec![format!("\"ö{number}\""), format!("\"\\u00f6{number}\"")],
            _ => vec![format!("\"c{number}\"")],
        })
    }

    fn written(&self, random: &mut Random) -> &str {
        &self.0[random.below(self.0.len())]
    }
}

pub fn history(world: &World, random: &mut Random) -> History {
    let mut written = Vec::new();
    let mut n_ids = 0;
    let n_customers = match world.theme {
        Theme::Crowd => 1,
        Theme::Long => random.between(1, 2),
        Theme::Many => random.between(60, 250),
        _ => random.between(1, 6),
    };
    for number in 0..n_customers {
        let name = Name::new(number, random);
        let n_events = match world.theme {
            Theme::Crowd => random.between(1080, 1300),
            Theme::Long => random.between(150, 450),
            Theme::Many => random.between(1, 6),
            _ => random.pick(&[1, 3, 8, 20, 40, 70]) + random.between(0, 10),
        };
        let mut told: Vec<Told> = Vec::new();
        let mut time = world.start + random.between(0, 3 * DAY);
        for _ in 0..n_events {
            let event = tell(time, &mut n_ids, world, random);
            let at = time + lateness(world, random);
            write(&event, event.time, at, name.written(random), &mut written, random);
            repeat(&event, at, &name, world, random, &mut written);
            told.push(event);
            time = next_time(time, &told, world, random);
        }
    }
    if world.theme == Theme::Rejects {
        for _ in 0..random.between(3, 25) {
            let at = random.pick(&written.iter().map(|one| one.at).collect::<Vec<_>>());
            written.push(Written { at, time: at, kind: "reject", line: reject(at, random) });
        }
    }
    // Stable: of equal instants the order of telling stays.
    written.sort_by_key(|one| one.at);
    History { written }
}

fn tell(time: i64, n_ids: &mut usize, world: &World, random: &mut Random) -> Told {
    *n_ids += 1;
    let number = if world.theme == Theme::Crowd && random.chance(97) { 0 } else { random.below(world.kinds.len()) };
    let kind = world.kinds[number].clone();
    // Now and then an id that another event has: of another kind, or long ago.
    let id = if random.chance(10) { random.between(0, 5) } else { *n_ids as i64 };
    let id =
        if random.chance(5) { None } else { Some(if random.chance(3) { String::new() } else { format!("e{id}") }) };
    Told { time, body: body(&kind, world, random), kind, id }
}

fn write(event: &Told, time: i64, at: i64, customer: &str, written: &mut Vec<Written>, random: &mut Random) {
    let id = event.id.as_ref().map(|id| format!("\"event_id\": \"{id}\", ")).unwrap_or_default();
    let moment = written_time(time, random);
    let line = format!("{{{id}\"customer_id\": {customer}, {}, \"time\": {moment}}}", event.body);
    written.push(Written { at, time, kind: event.kind.name, line });
}

/// How long after its time an event is written.
fn lateness(world: &World, random: &mut Random) -> i64 {
    let percent = match world.theme {
        Theme::Disorder => 30,
        Theme::Moves | Theme::Long => 15,
        _ => 4,
    };
    if !random.chance(percent) {
        return 0;
    }
    match random.below(6) {
        0 => random.between(1, 10),
        1 => (world.grace + random.between(-1, 1)).max(0),
        2 => random.between(1, 600) * SECOND,
        3 => random.between(1, 48) * HOUR,
        4 => random.between(1, 40) * DAY,
        _ => random.pick(&world.windows) + random.between(-1, 1),
    }
}

/// Duplicates: soon after, or so that the clock stands on the edge of the duplicate window.
fn repeat(event: &Told, at: i64, name: &Name, world: &World, random: &mut Random, written: &mut Vec<Written>) {
    let percent = match world.theme {
        Theme::Disorder => 35,
        Theme::Crowd | Theme::Long => 2,
        _ => 6,
    };
    let window = event.kind.dedup_window;
    while random.chance(percent) {
        let (edge, customer) = (random.pick(&[-1, 0, 1]), name.written(random));
        let time = match random.below(5) {
            0..2 => event.time,
            2 => event.time + window + edge,
            3 => (event.time - window + edge).max(0),
            _ => event.time + random.between(-2 * HOUR, 2 * HOUR),
        };
        if random.chance(50) {
            write(event, time, at.max(time) + random.between(0, HOUR), customer, written, random);
            continue;
        }
        // Another customer's event moves the clock to the edge.
        let base = if random.chance(70) { event.time } else { time };
        let moment = base + window + world.grace + random.pick(&[-1, 0, 1]);
        let browse = world.kinds[1].clone();
        let mover = Told { time: moment, kind: browse.clone(), id: None, body: body(&browse, world, random) };
        write(&mover, moment, moment, "\"mover\"", written, random);
        write(event, time, moment, customer, written, random);
    }
}

fn next_time(now: i64, told: &[Told], world: &World, random: &mut Random) -> i64 {
    if world.theme == Theme::Crowd {
        return now + random.pick(&[0, 1, 700, SECOND, MINUTE, 10 * MINUTE]) + random.between(0, 20 * MINUTE);
    }
    let edge = random.pick(&[-1, 0, 0, 1]);
    if world.theme == Theme::Long && random.chance(70) {
        let longest = random.pick(&[SECOND, MINUTE, HOUR, 12 * HOUR]);
        return now + random.between(0, longest);
    }
    let next = match random.below(20) {
        0 => now,
        1 => now + random.between(1, 3),
        2 => now + random.pick(&[499, 500, SECOND, MINUTE]),
        3..5 => now + random.between(1, 3 * HOUR),
        5..7 => now + random.between(HOUR, 5 * DAY),
        7 => now + random.between(DAY, 60 * DAY),
        8 if random.chance(30) => (now.div_euclid(DAY) + random.between(1, 3)) * DAY + edge,
        8 => midnight(now, random.between(0, 2), world) + edge,
        9..11 => now + random.pick(&world.lengths) + edge,
        11 => {
            let unit = world.kinds[random.below(world.kinds.len())].resolution;
            (now.div_euclid(unit) + 1) * unit + edge
        }
        _ => {
            let earlier = &told[told.len() - 1 - random.below(told.len().min(5))];
            let unit = earlier.kind.resolution;
            let length = if random.chance(75) { random.pick(&world.windows) } else { random.pick(&world.lengths) };
            earlier.time.div_euclid(unit) * unit + length + edge
        }
    };
    // No farther than a year and a half.
    next.max(now).min(world.start + 540 * DAY)
}

fn midnight(now: i64, days: i64, world: &World) -> i64 {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(world.zone).expect("a time zone");
    let today = jiff::Timestamp::from_millisecond(now).expect("a time in range").to_zoned(zone.clone()).date();
    let day = today.checked_add((days + 1).days()).expect("a date in range");
    day.to_zoned(zone).expect("a date in range").timestamp().as_millisecond()
}

impl History {
    /// One file, or now and then several with the events of some kinds each. With several there is no event after the
    /// end, which must not decide the order of what is read; nor is a reject, which is not read either.
    pub fn into_files(self, until: Option<i64>, random: &mut Random) -> Vec<String> {
        let n_files = if random.chance(25) { random.between(2, 3) as usize } else { 1 };
        let mut files = vec![String::new(); n_files];
        let shift = random.below(7);
        for one in self.written {
            let strict = n_files > 1 || one.kind == "reject";
            if strict && until.is_some_and(|until| one.time > until) {
                continue;
            }
            let file = &mut files[(one.kind.len() + shift) % n_files];
            file.push_str(&one.line);
            file.push('\n');
        }
        files
    }
}
