//! What a case's rules and history share: kinds, windows, the time zone, and what the case is mostly about.

use super::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Theme {
    /// Like the given cases: a bit of everything.
    Mixed,
    /// Late events and duplicates, also at the edges of the duplicate window.
    Disorder,
    /// Local days, daylight saving time, birthdays.
    Calendar,
    /// Currencies, refunds, lines that pass in part, large amounts.
    Money,
    /// Short stays and cooldowns: much moving about.
    Moves,
    /// One customer with more buckets than a series keeps.
    Crowd,
    /// One or two customers with hundreds of events, some of them late.
    Long,
    /// Hundreds of customers with a few events each.
    Many,
    /// Lines that are no event among the others.
    Rejects,
}

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Which of an event's fields is a kind's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    None,
    /// The standard field, with lines.
    Lines,
    /// The standard field of another kind.
    Plain,
    Rating,
    /// The configured field `value`.
    Value,
    /// A custom kind's rating, by configuration.
    OfRating,
}

#[derive(Clone, Debug)]
pub struct Kind {
    pub name: &'static str,
    pub amount: Amount,
    pub resolution: i64,
    pub dedup_window: i64,
    /// As written in the rules; nothing when it is left at its default.
    pub settings: Vec<String>,
}

impl Kind {
    pub fn has_products(&self) -> bool {
        ["purchase", "refund", "browse", "cart_add", "visit"].contains(&self.name)
    }

    pub fn has_query(&self) -> bool {
        ["search", "cart_add", "visit"].contains(&self.name)
    }

    pub fn has_rating(&self) -> bool {
        ["feedback", "cart_add", "visit"].contains(&self.name)
    }

    pub fn has_lines(&self) -> bool {
        self.amount == Amount::Lines
    }
}

pub struct World {
    pub theme: Theme,
    pub zone: &'static str,
    pub kinds: Vec<Kind>,
    /// Windows in ms, multiples of an hour at least once.
    pub windows: Vec<i64>,
    /// Further lengths that rules speak of: cuts, stays, cooldowns.
    pub lengths: Vec<i64>,
    pub currencies: Vec<&'static str>,
    /// When the history begins.
    pub start: i64,
    /// How far the clock stays behind.
    pub grace: i64,
}

const ZONES: [&str; 14] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Asia/Kathmandu",
    "Pacific/Chatham",
    "America/Havana",
    "Asia/Beirut",
    "America/Asuncion",
    "Africa/Casablanca",
    "Pacific/Kiritimati",
];

/// Days on which something happens to the calendar somewhere: clocks change, a leap day, a year's end.
/// The first and the last of them: hardly any earlier or later time is one.
const STARTS: [&str; 14] = [
    "1970-01-01",
    "2098-07-01",
    "2025-03-28",
    "2025-10-24",
    "2025-03-07",
    "2025-10-31",
    "2018-11-02",
    "2018-02-16",
    "2024-02-26",
    "2025-02-25",
    "2025-12-29",
    "2025-04-03",
    "2025-10-03",
    "2024-03-29",
];

const WINDOWS: [i64; 14] = [
    90 * SECOND,
    30 * MINUTE,
    HOUR,
    90 * MINUTE,
    6 * HOUR,
    DAY,
    36 * HOUR,
    2 * DAY,
    3 * DAY,
    7 * DAY,
    14 * DAY,
    30 * DAY,
    60 * DAY,
    365 * DAY,
];

const LENGTHS: [i64; 12] =
    [500, 1500, 90 * SECOND, 10 * MINUTE, HOUR, 6 * HOUR, DAY, DAY + 1, 3 * DAY, 7 * DAY, 30 * DAY, 365 * DAY];

impl World {
    pub fn new(theme: Theme, random: &mut Random) -> World {
        let crowd = theme == Theme::Crowd;
        let of_browse = if random.chance(8) { Amount::Value } else { Amount::None };
        let mut kinds: Vec<Kind> = [
            ("purchase", Amount::Lines),
            ("browse", of_browse),
            ("search", Amount::None),
            ("refund", Amount::Lines),
            ("feedback", Amount::Rating),
            ("profile", Amount::None),
        ]
        .map(|(name, amount)| kind(name, amount, crowd, random))
        .into();
        if random.chance(30) {
            kinds.push(kind("cart_add", Amount::Value, crowd, random));
        }
        if random.chance(25) {
            let amount = random.pick(&[Amount::Plain, Amount::OfRating]);
            kinds.push(kind("visit", amount, crowd, random));
        }
        let has_currencies = theme == Theme::Money || random.chance(10);
        let fixed = theme == Theme::Calendar || random.chance(25);
        let day = if fixed { random.pick(&STARTS) } else { "2025-03-27" };
        let start: jiff::Timestamp = format!("{day}T00:00:00Z").parse().expect("a day");
        let shift = if fixed { random.between(0, 2 * DAY) } else { random.between(0, 365 * DAY) };
        World {
            theme,
            zone: if theme == Theme::Calendar || random.chance(60) { random.pick(&ZONES) } else { "UTC" },
            kinds,
            windows: windows(crowd, random),
            lengths: (0..4).map(|_| random.pick(&LENGTHS)).collect(),
            currencies: if has_currencies { vec!["USD", "GBP", "JPY"] } else { Vec::new() },
            start: start.as_millisecond() + if day == "1970-01-01" { shift % HOUR } else { shift },
            grace: if random.chance(75) { 5 * SECOND } else { random.pick(&[SECOND, MINUTE, HOUR, DAY]) },
        }
    }
}

/// In a crowd every window is a whole number of cells.
fn windows(crowd: bool, random: &mut Random) -> Vec<i64> {
    let among = if crowd { &[6 * HOUR, 7 * DAY, 14 * DAY, 30 * DAY][..] } else { &WINDOWS[..] };
    let mut windows: Vec<i64> = (0..random.between(1, 3)).map(|_| random.pick(among)).collect();
    // One that suits every resolution.
    windows.push(if crowd { random.pick(&[14, 30, 60]) * DAY } else { random.pick(&[1, 3, 7, 30, 60]) * DAY });
    windows.sort_unstable();
    windows.dedup();
    windows
}

fn kind(name: &'static str, amount: Amount, crowd: bool, random: &mut Random) -> Kind {
    let resolutions: &[(i64, &str)] = &[
        (500, "500ms"),
        (SECOND, "1s"),
        (10 * SECOND, "10s"),
        (MINUTE, "1m"),
        (5 * MINUTE, "5m"),
        (15 * MINUTE, "15m"),
        (HOUR, "1h"),
        (6 * HOUR, "6h"),
        (DAY, "1d"),
    ];
    let dedup_windows: &[(i64, &str)] =
        &[(10 * MINUTE, "10m"), (HOUR, "1h"), (DAY, "24h"), (30 * SECOND, "30s"), (3 * DAY, "3d")];
    let short = name == "browse" || name == "search";
    let mut kind = Kind {
        name,
        amount,
        resolution: SECOND,
        dedup_window: if short { 10 * MINUTE } else { DAY },
        settings: Vec::new(),
    };
    if !crowd && random.chance(45) {
        let (resolution, text) = random.pick(resolutions);
        kind.resolution = resolution;
        kind.settings.push(format!("resolution = \"{text}\""));
    }
    if random.chance(45) {
        let (window, text) = random.pick(dedup_windows);
        kind.dedup_window = window;
        kind.settings.push(format!("dedup_window = \"{text}\""));
    }
    if amount == Amount::Value {
        kind.settings.push("amount = \"value\"".to_owned());
    }
    if amount == Amount::OfRating {
        kind.settings.push("amount = \"rating\"".to_owned());
    }
    kind
}

/// As rules write it, in the units that fit, `1d1ms`.
pub fn length(ms: i64) -> String {
    let mut rest = ms;
    let mut text = String::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1, "ms")] {
        if rest >= unit {
            text.push_str(&format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    text
}
