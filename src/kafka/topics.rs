//! Are the topics there and right, and what to do when they are not. Creates them when asked to.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::cluster::Ends as _;
use super::error::Error;
use super::logging::Logged;
use super::native;
use super::settings::{Isolation, REQUEST_TIMEOUT, Settings};
use super::watermarks::Watermarks;

/// What a topic is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Input,
    Changes,
    /// Compacted: the latest record of each customer and shard.
    Standing,
    Rejects,
}

/// A topic that must be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub topic: String,
    pub role: Role,
}

/// Something that is wrong with a topic, or could be better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub topic: String,
    /// Nothing starts while there is one that is no warning.
    pub is_warning: bool,
    pub problem: String,
    /// What to do, as a command or a setting where there is one.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.topic, self.problem, self.remedy)
    }
}

/// The topics of an instance as the broker describes them.
#[derive(Debug)]
pub struct Topics {
    /// As many as the inputs have; what all must have. 0: no input is there.
    pub n_partitions: usize,
    pub findings: Vec<Finding>,
    /// Those that are not there.
    pub missing: Vec<Requirement>,
    /// How long the inputs keep their records, in ms, by the one that keeps them for the shortest time; none: for ever, or
    /// nobody may know.
    pub retention_ms: Option<i64>,
    /// How long tombstones stay on the standing topic, where that is known.
    pub tombstone_ms: Option<i64>,
    /// By name; a topic that was made anew has another id. Empty where the broker tells none.
    pub ids: BTreeMap<String, String>,
}

type Configs = BTreeMap<String, BTreeMap<String, String>>;

impl Topics {
    /// Looks at all topics. An embedded cluster has no settings to look at.
    pub fn look(settings: &Settings, required: &[Requirement]) -> Result<Topics, Error> {
        let watermarks = Watermarks::open(settings, Isolation::Uncommitted)?;
        let names: Vec<&str> = required.iter().map(|required| required.topic.as_str()).collect();
        let counts = watermarks.n_partitions(&names)?;
        let there = |wanted: bool| {
            required
                .iter()
                .zip(&counts)
                .filter(move |(_, count)| count.is_some() == wanted)
                .map(|(required, _)| required)
        };
        let mut findings = Vec::new();
        let mut ids = BTreeMap::new();
        let (mut retention_ms, mut tombstone_ms) = (None, None);
        let n_partitions = check_counts(required, &counts, &mut findings);
        if !settings.is_embedded {
            let present: Vec<&Requirement> = there(true).collect();
            let names: Vec<&str> = present.iter().map(|present| present.topic.as_str()).collect();
            ids = native::topic_ids(admin(settings)?.inner(), &names, REQUEST_TIMEOUT);
            let configs = describe(settings, &present)?;
            let limits = |role: Role, setting: &str| {
                let topics = present.iter().filter(|present| present.role == role);
                topics.filter_map(|topic| limit(configs.get(&topic.topic)?.get(setting)?)).min()
            };
            retention_ms = limits(Role::Input, "retention.ms");
            tombstone_ms = limits(Role::Standing, "delete.retention.ms");
            for required in present {
                check_config(required, configs.get(&required.topic), &mut findings);
            }
        }
        let missing = there(false).cloned().collect();
        Ok(Topics { n_partitions, findings, missing, retention_ms, tombstone_ms, ids })
    }

    /// Creates topics with what each role needs.
    pub fn create(settings: &Settings, missing: &[Requirement], n_partitions: i32, replicas: i32) -> Result<(), Error> {
        let client = admin(settings)?;
        let topics: Vec<NewTopic<'_>> = missing
            .iter()
            .map(|missing| {
                let topic = NewTopic::new(&missing.topic, n_partitions, TopicReplication::Fixed(replicas));
                wanted(missing.role).iter().fold(topic, |topic, (name, value)| topic.set(name, value))
            })
            .collect();
        let results = block_on(client.create_topics(&topics, &options())).map_err(Error::Admin)?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((_, code)) => return Err(Error::Admin(KafkaError::AdminOp(code))),
            }
        }
        Ok(())
    }

    /// The findings that keep us from starting.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.is_warning)
    }
}

/// What `--create` sets for a role.
fn wanted(role: Role) -> &'static [(&'static str, &'static str)] {
    match role {
        Role::Input => &[("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")],
        Role::Changes | Role::Rejects => &[("cleanup.policy", "delete")],
        Role::Standing => &[("cleanup.policy", "compact")],
    }
}

/// Every topic must be there and have as many partitions as the inputs.
fn check_counts(required: &[Requirement], counts: &[Option<usize>], findings: &mut Vec<Finding>) -> usize {
    let inputs = || required.iter().zip(counts).filter(|(required, _)| required.role == Role::Input);
    let first = inputs().find_map(|(required, count)| count.map(|count| (required.topic.as_str(), count)));
    for (required, count) in required.iter().zip(counts) {
        let (problem, remedy) = match (count, first) {
            (None, _) => (
                "it does not exist".to_owned(),
                "`dormouse topics --create` makes it; or name another topic in the configuration".to_owned(),
            ),
            (Some(count), Some((topic, wanted))) if *count != wanted => (
                format!(
                    "it has {count} partitions and {topic} has {wanted}: a customer's events and changes must have the same partition number everywhere"
                ),
                format!("give all of them the same number, for example by making {} anew", required.topic),
            ),
            _ => continue,
        };
        findings.push(Finding { topic: required.topic.clone(), is_warning: false, problem, remedy });
    }
    first.map_or(0, |(_, count)| count)
}

fn check_config(required: &Requirement, config: Option<&BTreeMap<String, String>>, findings: &mut Vec<Finding>) {
    let Some(config) = config else { return };
    let value = |name: &str| config.get(name).map_or("", String::as_str);
    let mut find = |is_warning, problem: String, setting: &str| {
        let remedy = format!("kafka-configs --alter --topic {} --add-config {setting}", required.topic);
        findings.push(Finding { topic: required.topic.clone(), is_warning, problem, remedy });
    };
    let policy = value("cleanup.policy");
    match required.role {
        Role::Standing if policy != "compact" => find(
            false,
            format!("its cleanup.policy is `{policy}`: standings that are still true would be deleted"),
            "cleanup.policy=compact",
        ),
        Role::Changes | Role::Rejects if policy.contains("compact") => find(
            false,
            format!("its cleanup.policy is `{policy}`: all but the last record of each customer would be deleted"),
            "cleanup.policy=delete",
        ),
        Role::Input => {
            if policy.contains("compact") {
                let problem = format!("its cleanup.policy is `{policy}`: events would be deleted by later ones");
                find(false, problem, "cleanup.policy=delete");
            }
            if value("message.timestamp.type") != "LogAppendTime" {
                let problem = "its records have timestamps that producers set; a wrong clock of theirs is only noticed when it is ahead of ours".to_owned();
                find(true, problem, "message.timestamp.type=LogAppendTime");
            }
            if let Some(problem) = short_retention(value("retention.ms"), value("retention.bytes")) {
                find(true, problem, "retention.ms=-1");
            }
        }
        _ => {}
    }
}

/// State is rebuilt by reading the input from its start, so what is deleted is forgotten.
fn short_retention(ms: &str, bytes: &str) -> Option<String> {
    let days = limit(ms).map(|ms| format!("after {} days", ms / 86_400_000));
    let size = limit(bytes).map(|bytes| format!("beyond {bytes} bytes"));
    let when = days.or(size)?;
    Some(format!("its records are deleted {when}, and a restart can rebuild only what is still there"))
}

/// -1 is none.
fn limit(text: &str) -> Option<i64> {
    text.parse().ok().filter(|limit| *limit >= 0)
}

fn describe(settings: &Settings, required: &[&Requirement]) -> Result<Configs, Error> {
    let client = admin(settings)?;
    let resources: Vec<ResourceSpecifier<'_>> =
        required.iter().map(|required| ResourceSpecifier::Topic(&required.topic)).collect();
    let mut configs = Configs::new();
    if resources.is_empty() {
        return Ok(configs);
    }
    for result in block_on(client.describe_configs(&resources, &options())).map_err(Error::Admin)? {
        let resource: ConfigResource = match result {
            Ok(resource) => resource,
            // Not everyone may look at settings; the topics may be right all the same.
            Err(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                tracing::warn!("the settings of a topic may not be looked at, so they are not checked");
                continue;
            }
            Err(code) => return Err(Error::Admin(KafkaError::AdminOp(code))),
        };
        let rdkafka::admin::OwnedResourceSpecifier::Topic(topic) = resource.specifier else { continue };
        let entries = resource.entries.into_iter().filter_map(|entry| Some((entry.name, entry.value?)));
        configs.insert(topic, entries.collect());
    }
    Ok(configs)
}

fn admin(settings: &Settings) -> Result<AdminClient<Logged>, Error> {
    settings.observer(Isolation::Committed).create_with_context(Logged).map_err(Error::Settings)
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(REQUEST_TIMEOUT)).operation_timeout(Some(REQUEST_TIMEOUT))
}

/// The admin client's answers are futures that another thread of librdkafka fulfils.
fn block_on<T>(future: impl Future<Output = Result<T, KafkaError>>) -> Result<T, KafkaError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .map_err(|error| KafkaError::AdminOpCreation(error.to_string()))?;
    runtime.block_on(future)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn required(topic: &str, role: Role) -> Requirement {
        Requirement { topic: topic.to_owned(), role }
    }

    fn findings(role: Role, config: &[(&str, &str)]) -> Vec<Finding> {
        let config = config.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut findings = Vec::new();
        check_config(&required("t", role), Some(&config), &mut findings);
        findings
    }

    #[test]
    fn the_standing_topic_is_compacted_and_nothing_else() {
        assert_eq!(findings(Role::Standing, &[("cleanup.policy", "compact")]), []);
        for policy in ["delete", "compact,delete"] {
            let found = findings(Role::Standing, &[("cleanup.policy", policy)]);
            assert!(found.len() == 1 && !found[0].is_warning, "{found:?}");
            assert!(found[0].remedy.contains("cleanup.policy=compact"), "{found:?}");
        }
    }

    #[test]
    fn changes_and_rejects_are_not_compacted() {
        for role in [Role::Changes, Role::Rejects] {
            assert_eq!(findings(role, &[("cleanup.policy", "delete")]), []);
            assert!(!findings(role, &[("cleanup.policy", "compact,delete")])[0].is_warning);
        }
    }

    #[test]
    fn an_input_with_timestamps_of_producers_or_with_retention_is_a_warning() {
        let fine = [("cleanup.policy", "delete"), ("message.timestamp.type", "LogAppendTime"), ("retention.ms", "-1")];
        assert_eq!(findings(Role::Input, &fine), []);
        let week = [("message.timestamp.type", "CreateTime"), ("retention.ms", "604800000")];
        let found = findings(Role::Input, &week);
        assert!(found.len() == 2 && found.iter().all(|finding| finding.is_warning), "{found:?}");
        assert!(found[1].problem.contains("7 days"), "{found:?}");
    }

    #[test]
    fn topics_that_are_missing_or_have_another_number_of_partitions_are_named() {
        let all = [required("a", Role::Input), required("b", Role::Input), required("c", Role::Changes)];
        let mut found = Vec::new();
        assert_eq!(check_counts(&all, &[Some(3), Some(4), None], &mut found), 3);
        let topics: Vec<_> = found.iter().map(|finding| (finding.topic.as_str(), finding.is_warning)).collect();
        assert_eq!(topics, [("b", false), ("c", false)]);
    }
}
