//! One random condition, of the right types.

use super::random::Random;
use super::world::{Amount, Kind, MINUTE, Theme, World, length};

pub struct Writer<'a> {
    pub world: &'a World,
    pub random: &'a mut Random,
    /// The segments of the earlier dimensions.
    pub dimensions: &'a [Vec<String>],
    /// In `stay`: the own dimension's number and segments.
    pub own: Option<(usize, &'a [String])>,
    pub scores: &'a [Score],
}

#[derive(Clone)]
pub struct Score {
    pub name: String,
    pub n_cuts: usize,
    /// How many dimensions come before the first that may read it.
    pub after: usize,
}

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
const NUMBERS: [&str; 16] =
    ["0", "1", "2", "3", "5", "8", "10", "10.0", "99.99", "100", "250.5", "1000", "3.3333", "0.0001", "-20", "12.5"];

impl Writer<'_> {
    pub fn condition(&mut self, depth: usize) -> String {
        if depth == 0 || self.random.chance(30) {
            return self.comparison();
        }
        if self.random.chance(20) {
            return format!("!({})", self.condition(depth - 1));
        }
        if self.random.chance(8) {
            let [a, b, c] = [0; 3].map(|_| self.condition(depth - 1));
            return format!("{a} || !!({b}) &&\n  {c}");
        }
        let sign = self.random.pick(&[" && ", " || "]);
        let parts: Vec<String> = (0..self.random.between(2, 3)).map(|_| self.condition(depth - 1)).collect();
        format!("({})", parts.join(sign))
    }

    fn comparison(&mut self) -> String {
        match self.random.below(100) {
            0..40 => self.compared_numbers(),
            40..65 => self.compared_durations(),
            65..78 => self.profile(),
            78..88 => self.segment(),
            88..95 => self.score(),
            95..99 => {
                let numbers: Vec<&str> = (0..3).map(|_| self.random.pick(&NUMBERS)).collect();
                format!("{} in [{}]", self.number_feature(), numbers.join(", "))
            }
            _ => self.random.pick(&["true", "false"]).to_owned(),
        }
    }

    fn sign(&mut self) -> &'static str {
        self.random.pick(&COMPARISONS)
    }

    fn compared_numbers(&mut self) -> String {
        let (left, sign) = (self.number_expression(), self.sign());
        let literal = self.random.pick(&NUMBERS);
        match self.random.below(10) {
            0..6 => format!("{left} {sign} {literal}"),
            6 => format!("{literal} {sign} {left}"),
            7 => format!("{left} {sign} {} - {literal}", self.number_feature()),
            8 => self.average_and_sum(),
            _ => format!("{left} {sign} {}", self.number_expression()),
        }
    }

    /// Where the rounding of an average shows.
    fn average_and_sum(&mut self) -> String {
        let kind = self.kind();
        if kind.amount == Amount::None {
            return self.compared_durations();
        }
        let (of, times, sign) = (self.filtered(&kind), self.random.pick(&["2", "3"]), self.sign());
        format!("{times} * {of}.avg() {sign} {of}.sum()")
    }

    pub fn number_expression(&mut self) -> String {
        let first = self.number_feature();
        match self.random.below(12) {
            0 => format!("{first} + {}", self.number_feature()),
            1 => format!("{first} - {}", self.number_feature()),
            2 => format!("{} * {first}", self.random.pick(&["2", "0.5", "1.5", "0.0001", "2 * 0.3"])),
            3 => format!("{first} * {}", self.random.pick(&["2", "0.7"])),
            4 => format!("-{first}"),
            5 => format!("2 * ({first} - {}) + 1", self.number_feature()),
            _ => first,
        }
    }

    fn compared_durations(&mut self) -> String {
        let (left, sign, length) = (self.duration_expression(), self.sign(), self.length());
        match self.random.below(10) {
            0..6 => format!("{left} {sign} {length}"),
            6 => format!("{length} {sign} {left}"),
            7 => format!("{left} {sign} {} - {length}", self.duration_feature()),
            _ => format!("{left} {sign} {}", self.duration_expression()),
        }
    }

    pub fn duration_expression(&mut self) -> String {
        let first = self.duration_feature();
        match self.random.below(16) {
            0 => format!("{first} + {}", self.duration_feature()),
            1 => format!("{first} - {}", self.duration_feature()),
            2 => format!("{} * {first}", self.random.pick(&["2", "0.3", "0.7", "1.5", "3"])),
            3 => format!("{first} - 2 * {}", self.duration_feature()),
            4 => format!("-{first}"),
            5 => format!("0.5 * ({first} + {}) - 0.25 * 1.5 * {}", self.duration_feature(), self.duration_feature()),
            6 => format!("{} * {first}", self.random.pick(&["10000", "0.0001", "0.3333", "-0.5"])),
            _ => first,
        }
    }

    fn length(&mut self) -> String {
        let length = length(self.some_length());
        format!("duration(\"{length}\")")
    }

    pub fn some_length(&mut self) -> i64 {
        let ms = if self.random.chance(50) {
            self.random.pick(&self.world.lengths)
        } else {
            self.random.pick(&self.world.windows)
        };
        if self.random.chance(15) { ms + self.random.pick(&[1, 499, 1000]) } else { ms }
    }

    pub fn duration_feature(&mut self) -> String {
        if self.random.chance(12) {
            return "customer.age()".to_owned();
        }
        let n_ages = self.dimensions.len() + usize::from(self.own.is_some());
        if n_ages > 0 && self.random.chance(12) {
            return format!("segment.d{}.age()", self.random.below(n_ages));
        }
        let kind = self.kind();
        let of = self.filtered(&kind);
        let measure = self.random.pick(&["since_last", "since_last", "since_first", "gap"]);
        format!("{of}.{measure}()")
    }

    fn kind(&mut self) -> Kind {
        self.world.kinds[self.random.below(self.world.kinds.len())].clone()
    }

    fn number_feature(&mut self) -> String {
        let kind = self.kind();
        let of = self.filtered(&kind);
        let mut measures = vec!["count", "count", "count"];
        if kind.amount != Amount::None {
            measures.extend(["sum", "sum", "avg", "max", "min"]);
        }
        if (15 * MINUTE) % kind.resolution == 0 {
            measures.extend(["days", "days"]);
        }
        if kind.has_products() || kind.has_query() {
            measures.extend(["distinct", "top"]);
        }
        let measure = self.random.pick(&measures);
        let mut arguments = Vec::new();
        if measure == "distinct" || measure == "top" {
            let mut fields = Vec::new();
            fields.extend(kind.has_products().then_some(["category", "brand", "product"]).into_iter().flatten());
            fields.extend(kind.has_query().then_some("query"));
            arguments.push(self.random.pick(&fields).to_owned());
        }
        let fitting: Vec<i64> =
            self.world.windows.iter().copied().filter(|window| window % kind.resolution == 0).collect();
        if !fitting.is_empty() && (!arguments.is_empty() || self.random.chance(80)) {
            arguments.push(format!("\"{}\"", length(self.random.pick(&fitting))));
        }
        format!("{of}.{measure}({})", arguments.join(", "))
    }

    fn filtered(&mut self, kind: &Kind) -> String {
        if !self.random.chance(if self.world.theme == Theme::Money { 60 } else { 35 }) {
            return kind.name.to_owned();
        }
        format!("{}.where({})", kind.name, self.filter(kind))
    }

    fn filter(&mut self, kind: &Kind) -> String {
        let first = self.field(kind);
        match self.random.below(10) {
            0 => format!("!({first})"),
            1 | 2 => format!("{first} && {}", self.field(kind)),
            3 => format!("{first} || {}", self.field(kind)),
            4 => format!("!({first} || {}) && {}", self.field(kind), self.field(kind)),
            5 => format!("{first} || !{} && {}", "(hour < 12)", self.field(kind)),
            _ => first,
        }
    }

    fn field(&mut self, kind: &Kind) -> String {
        let mut kinds_of_field = vec!["channel", "country", "device", "coupon", "discount", "time", "time"];
        if kind.has_products() {
            kinds_of_field.extend(["category", "brand", "product"]);
        }
        if kind.has_query() {
            kinds_of_field.extend(["query", "query"]);
        }
        if kind.has_rating() {
            kinds_of_field.extend(["rating", "rating"]);
        }
        if kind.has_lines() {
            kinds_of_field.extend(["quantity", "amount", "order_amount", "quantity", "amount"]);
        } else if kind.amount != Amount::None {
            kinds_of_field.extend(["amount", "order_amount"]);
        }
        if kind.name != "profile" {
            kinds_of_field.push("attributes");
        }
        match self.random.pick(&kinds_of_field) {
            "time" => self.time_field(),
            "attributes" => self.attribute_field(),
            field @ ("discount" | "rating" | "quantity" | "amount" | "order_amount") => self.number_field(field),
            field => self.text_field(field),
        }
    }

    fn number_field(&mut self, field: &str) -> String {
        let numbers: &[&str] = match field {
            "discount" => &["0", "2.5", "1", "10"],
            "rating" => &["1", "2", "3.5", "5"],
            "quantity" => &["1", "1.5", "2", "0", "-1"],
            _ => &["0", "7", "10.0", "12.5", "99.99", "-20", "0.0001", "1000", "19.999"],
        };
        let (number, sign) = (self.random.pick(numbers), self.sign());
        match self.random.below(10) {
            0 => format!("{number} {sign} {field}"),
            1 => format!("{field} in [{number}, 2, 10]"),
            _ => format!("{field} {sign} {number}"),
        }
    }

    fn text_field(&mut self, field: &str) -> String {
        let texts: &[&str] = match field {
            "channel" => &["web", "app", "shop", ""],
            "country" => &["DE", "US", "FR"],
            "device" => &["iPad", "ipad", "iPhone", "android"],
            "coupon" => &["WAKE", "TEN"],
            "category" => &["garden", "toys", "books", "shoes", ""],
            "brand" => &["acme", "zen", "örn"],
            "query" => &["garden hose", "Book", "RED shoes", "", "ÖRN oö", "ΣΑΣ", "ÖRN oö", "Σας"],
            _ => &["p1", "p2", "p3"],
        };
        let (one, other) = (self.random.pick(texts), self.random.pick(texts));
        match self.random.below(10) {
            0 => format!("\"{one}\" == {field}"),
            1 | 2 => format!("{field} in [\"{one}\", \"{other}\"]"),
            3 => format!("{field} != \"{one}\""),
            4 => format!("{field}.contains(\"{}\")", self.random.pick(&["a", "o", "Pad", "", "Ö", "1"])),
            5 => format!("{field}.startsWith(\"{}\")", self.random.pick(&["i", "g", "RED", "w", "p", "ör"])),
            6 => format!("{field}.endsWith(\"{}\")", self.random.pick(&["oid", "hose", "n", "OÖ", "E", "2"])),
            _ => format!("{field} == \"{one}\""),
        }
    }

    fn time_field(&mut self) -> String {
        let sign = self.sign();
        match self.random.below(4) {
            0 => format!("month {sign} {}", self.random.between(1, 12)),
            1 => format!("weekday {sign} {}", self.random.between(1, 7)),
            2 => format!("hour {sign} {}", self.random.between(0, 23)),
            _ => {
                let date = self.random.pick(&["01-01", "03-30", "12-31", "02-28", "02-29", "03-01", "10-26", "06-15"]);
                format!("date {sign} \"{date}\"")
            }
        }
    }

    fn attribute_field(&mut self) -> String {
        let sign = self.sign();
        match self.random.below(5) {
            0 => "attributes.gift".to_owned(),
            1 => format!("attributes.gift {} true", self.random.pick(&["==", "!="])),
            2 => format!("attributes.size {sign} {}", self.random.pick(&["1", "2", "2.5"])),
            3 => format!("attributes.list {} \"wish\"", self.random.pick(&["==", "!="])),
            _ => "attributes.list.contains(\"ca\")".to_owned(),
        }
    }

    fn profile(&mut self) -> String {
        let sign = self.sign();
        match self.random.below(12) {
            0 => "profile.vip".to_owned(),
            1 => format!("profile.vip {} {}", self.random.pick(&["==", "!="]), self.random.pick(&["true", "false"])),
            2 => format!("has(profile.{})", self.random.pick(&["vip", "age", "country", "birthday"])),
            3 => format!(
                "profile.country {} \"{}\"",
                self.random.pick(&["==", "!="]),
                self.random.pick(&["DE", "US", "5"])
            ),
            4 => "profile.country in [\"DE\", \"FR\"]".to_owned(),
            5 => format!("profile.age {sign} {}", self.random.pick(&["30", "30.5", "18", "-1", "65"])),
            6 => format!("profile.age + {} > 30", self.number_feature()),
            7 => "profile.age in [17, 29, 30.5]".to_owned(),
            8 => format!("{} {sign} 0.1 * profile.age", self.number_feature()),
            9 => format!("profile.birthday.days_until() in [0, {}]", self.random.between(1, 30)),
            10 => format!("profile.birthday.days_until() {sign} 2 * {}", self.number_feature()),
            _ => format!(
                "profile.birthday.days_until() {sign} {}",
                self.random.pick(&["0", "1", "7", "30", "364", "365"])
            ),
        }
    }

    fn segment(&mut self) -> String {
        let mut choices: Vec<(usize, &[String])> =
            self.dimensions.iter().enumerate().map(|(number, names)| (number, names.as_slice())).collect();
        choices.extend(self.own);
        if choices.is_empty() {
            return self.compared_durations();
        }
        let (number, names) = self.random.pick(&choices);
        let (sign, name) = (self.random.pick(&["==", "!="]), &names[self.random.below(names.len())]);
        match self.random.below(5) {
            0 => format!("segment.d{number} {sign} \"\""),
            1 => format!("segment.d{number} in [\"{name}\", \"\"]"),
            2 => format!("segment.d{number}.age() {} {}", self.sign(), self.length()),
            _ => format!("segment.d{number} {sign} \"{name}\""),
        }
    }

    fn score(&mut self) -> String {
        if self.scores.is_empty() {
            return self.compared_numbers();
        }
        let Score { name, n_cuts, .. } = &self.scores[self.random.below(self.scores.len())];
        let value = self.random.between(0, *n_cuts as i64 + 1);
        match self.random.below(5) {
            0 => format!("score.{name} + {} >= {value}", self.number_feature()),
            1 => format!("score.{name} in [{value}, 1]"),
            _ => format!("score.{name} {} {value}", self.sign()),
        }
    }
}
