//! Two processes of one name: the later goes on, and the earlier ends without getting in its way again; also when it slept
//! until the later one was at work.

use std::sync::{Arc, Mutex};

use dormouse::event::Instant;
use dormouse::pipeline::{Hand, Stop};

use super::broker::Broker;
use super::broker::log::Data;
use super::client::{Client, Shelf, Weather, World};
use super::history::{self, INPUTS};
use super::life::{self, EPOCH_MS, Ended};
use super::schedule::{Runner, Schedule, Threads, Turn};

const SECOND: u64 = 1_000_000;
const NAME: &str = "twin";
/// When the second process starts, and when all is over.
const SECOND_STARTS: u64 = 5 * SECOND;
const END: u64 = 15 * SECOND;

fn world(seed: u64, schedule: &Arc<Schedule>, delay_max: u64) -> Arc<World> {
    let topics = [INPUTS[0], INPUTS[1], "changes", "standing", "rejects"];
    Arc::new(World {
        broker: Mutex::new(Broker::new(seed, &topics, 1)),
        weather: Mutex::new(Weather { delay_max, ..Weather::default() }),
        shelf: Mutex::new(Shelf::default()),
        tombstone_ms: None,
        epoch_ms: EPOCH_MS,
        topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        n_partitions: 1,
        schedule: Arc::clone(schedule),
    })
}

/// A process that is at work until it ends.
struct Process {
    number: usize,
    hand: Hand,
    ended: Ended,
}

fn start(world: &Arc<World>) -> Process {
    let number = world.schedule.new_process();
    let threads = Arc::new(Threads { schedule: Arc::clone(&world.schedule), process: number });
    let client = Client { world: Arc::clone(world), threads, instance: NAME.to_owned() };
    let hand = Hand::new(Instant(world.wall_ms(world.schedule.micros())));
    let ended = Ended::default();
    let settings = life::settings(NAME, &hand, 2);
    life::start(client, settings, history::plan(), Stop::default(), Arc::clone(&ended));
    Process { number, hand, ended }
}

/// A record that nobody can read comes in: to be kept, and so to be committed at once.
fn feed(world: &World, now: u64) {
    let data = Data { key: Some(b"c-1".to_vec()), value: Some(b"nothing of use".to_vec()) };
    if let Some(log) = world.broker().logs.get_mut(&(INPUTS[0].to_owned(), 0)) {
        log.append(data, None, now);
    }
}

fn has_opened(world: &World, process: &Process) -> bool {
    world.broker().opened.iter().any(|(_, number)| *number == process.number)
}

fn live_on(seed: u64) -> Result<(Vec<Process>, Arc<World>), String> {
    let schedule = Schedule::new(seed);
    let delay_max = [2_000, 20_000, 100_000][seed as usize % 3];
    let (world, mut runner) = (world(seed, &schedule, delay_max), Runner::new(&schedule));
    let (sleeps, mut wakes, mut next_event) = (seed % 2 == 1, None, 0);
    let mut processes = vec![start(&world)];
    while schedule.micros() < END {
        let now = schedule.micros();
        world.broker().advance(now);
        if now >= SECOND_STARTS && processes.len() == 1 {
            schedule.set_stopped(processes[0].number, sleeps);
            processes.push(start(&world));
        }
        if sleeps && wakes.is_none() && processes.get(1).is_some_and(|later| has_opened(&world, later)) {
            wakes = Some(now + schedule.below(SECOND));
        }
        if wakes.is_some_and(|wakes| now >= wakes) {
            schedule.set_stopped(processes[0].number, false);
        }
        if now >= next_event {
            feed(&world, now);
            next_event = now + 20_000;
        }
        let next = match runner.turn() {
            Turn::Taken => now + 20,
            Turn::IdleUntil(until) => {
                let wakes = wakes.filter(|wakes| *wakes > now).unwrap_or(u64::MAX);
                until.min(next_event).min(wakes).min(world.broker().next_effect()).max(now + 20)
            }
        };
        runner.advance(next);
        processes.iter().for_each(|process| process.hand.set(Instant(world.wall_ms(next))));
        if let Some(failure) = schedule.failure() {
            return Err(format!("a thread failed: {failure}"));
        }
    }
    processes.iter().for_each(|process| runner.kill(process.number));
    Ok((processes, world))
}

/// Lives the life of a seed; an error says what was broken.
pub fn live(seed: u64) -> Result<(), String> {
    let (processes, world) = live_on(seed)?;
    let said = |process: &Process| process.ended.lock().expect("nobody panics with it").clone();
    match said(&processes[0]) {
        Some(Err(why)) if why.contains("needs a name of its own") => {}
        other => return Err(format!("the earlier one ended with {other:?}")),
    }
    if let Some(end) = said(&processes[1]) {
        return Err(format!("the later one ended with {end:?}"));
    }
    let opened: Vec<usize> = world.broker().opened.iter().map(|(_, process)| *process).collect();
    let later = processes[1].number;
    let of_later = opened.iter().position(|process| *process == later).ok_or("the later one never committed")?;
    if opened[of_later..].iter().any(|process| *process != later) {
        return Err(format!("the earlier one opened a producer after the later one: {opened:?}"));
    }
    Ok(())
}

#[test]
fn a_process_whose_name_was_taken_opens_no_more_producers() {
    for seed in 0..100 {
        assert_eq!(live(seed), Ok(()), "seed {seed}");
    }
}
