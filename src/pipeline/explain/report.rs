//! The document: plain data, written and read as JSON. Times are RFC 3339 in UTC with milliseconds; none is `null`.

use serde::{Deserialize, Serialize};

/// Where a customer is, without the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Customer {
    pub customer_id: String,
    /// The clock of the customer's shard.
    pub at: String,
    pub rules_version: String,
    /// The shard; absent where producers place records in a way of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<i32>,
    /// Of the last change; 0 before the first.
    pub sequence: u64,
    /// By dimension, in the order of the rules.
    #[serde(serialize_with = "in_order")]
    pub standing: Vec<(String, Place)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interests: Option<Interests>,
}

/// What to offer; only where the rules ask for it. The names of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interests {
    pub categories: Vec<String>,
    pub brands: Vec<String>,
    pub queries: Vec<String>,
    pub products: Vec<String>,
}

/// Where a customer is in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    pub segment: Option<String>,
    /// `null`: in no segment from the start.
    pub since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
}

fn in_order<S: serde::Serializer>(places: &[(String, Place)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(places.iter().map(|(name, place)| (name, place)))
}

/// One customer as of an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub customer_id: String,
    /// The instant that all of it is about: the clock, or the customer's latest event if that is later.
    pub at: String,
    pub rules_version: String,
    /// Of the rules, for showing times to people.
    pub timezone: String,
    /// The first event of any kind, cut to the second.
    pub first_event: Option<String>,
    /// The later of the latest event and the latest change.
    pub latest: String,
    /// Of the last change; 0 before the first.
    pub sequence: u64,
    /// In the order of the rules.
    pub dimensions: Vec<Dimension>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interests: Option<Interests>,
    /// All changes so far; only where the customer's events are at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<PastChange>>,
}

/// The customer in one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dimension {
    pub dimension: String,
    pub segment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// `null`: in no segment from the start.
    pub since: Option<String>,
    /// What keeps them there, in plain words; absent in no segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// `min_stay` keeps the customer there until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_stay_until: Option<String>,
    /// In the order of the rules; the first that holds has the customer.
    pub segments: Vec<Segment>,
    /// What changes if nothing happens; `null`: nothing ever does.
    pub next: Option<NextChange>,
    /// There is no change by time alone until then, and further was not looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_change_until: Option<String>,
}

/// A segment, as the customer would be judged in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    pub segment: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub is_current: bool,
    /// Whether it takes or keeps the customer: `when`, or for the current one `stay`, with `from` and `cooldown`.
    pub holds: bool,
    /// Until when that is certain without an event; `null`: for ever.
    pub until: Option<String>,
    /// Why it holds or does not, in plain words, and how far it is from holding.
    pub reason: String,
    /// It can be entered only from these (`""` is none), of which the current one is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_from: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cooldown_until: Option<String>,
    pub when: Condition,
    /// Only of the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stay: Option<Condition>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    pub condition: String,
    pub holds: bool,
    pub comparisons: Vec<Comparison>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// As it stands in the rules.
    pub condition: String,
    /// Of the side that has features; of both when both have.
    pub value: String,
    pub holds: bool,
    /// The condition's outcome rests on it: were it otherwise, so might the condition be.
    #[serde(default)]
    pub decides: bool,
    /// What was found, in plain words.
    pub text: String,
    /// Until when that is certain without an event; `null`: for ever.
    pub until: Option<String>,
    /// What the value is compared with, when that is a number or a duration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// Each feature of a side that is not a feature and nothing else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub features: Vec<FeatureValue>,
}

/// The value must stand in this relation to that bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// `>=`, `==`, …
    pub relation: String,
    pub bound: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureValue {
    pub feature: String,
    pub value: String,
}

/// A change that time will bring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NextChange {
    pub to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    pub at: String,
    pub reason: String,
    pub evidence: Vec<Evidence>,
}

/// A change that there was, with the names of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastChange {
    pub sequence: u64,
    pub dimension: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub from_since: Option<String>,
    pub effective_at: String,
    pub cause: Cause,
    pub reason: Option<String>,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    pub condition: String,
    pub value: String,
    pub holds: bool,
}
