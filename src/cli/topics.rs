//! `dormouse topics`: are the topics there and right; makes those that are missing when asked to.

use std::path::PathBuf;
use std::time::Duration;

use super::exit::Exit;
use super::service::kafka_settings;
use super::{output, rules};
use crate::config::service::{self, Service};
use crate::kafka::{self, Error, Finding, Requirement, Role, Settings, Topics};

const HELP: &str = "\
Examples:
  dormouse topics -c dormouse.toml
  dormouse topics -c dormouse.toml --create --partitions 12 --replicas 3

Exit codes: 0 all is right, 1 something is not, 2 the settings are wrong, 3 Kafka cannot be asked.";

/// A topic that was just made may not be known to every broker yet.
const N_LOOKS_MAX: usize = 20;
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Arguments of `dormouse topics`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// The service's settings
    #[arg(short, long, value_name = "DORMOUSE.TOML")]
    config: PathBuf,
    /// Make the topics that are missing, each with what it needs
    #[arg(long)]
    create: bool,
    /// Partitions of topics that are made, when no input is there yet; otherwise as many as that has
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(i32).range(1..))]
    partitions: i32,
    /// Replicas of topics that are made; by default as many as the brokers' own default
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    replicas: Option<i32>,
}

/// Looks at the topics.
pub fn run(args: Args) -> Exit {
    let service = match service::load(&args.config) {
        Ok(loaded) => {
            let refused = loaded.service.kafka.client.check(kafka::refuses);
            rules::complain(&refused);
            rules::complain(&loaded.warnings);
            if !refused.is_empty() {
                return Exit::Usage;
            }
            loaded.service
        }
        Err(diagnostics) => {
            rules::complain(&diagnostics);
            return Exit::Usage;
        }
    };
    let required = requirements(&service);
    match look(&args, &kafka_settings(&service), &required) {
        Ok(topics) => {
            let exit = if topics.findings.is_empty() { Exit::Fine } else { Exit::Findings };
            output::write(&report(&required, &topics), exit)
        }
        Err(error) => {
            eprintln!("error: {error}");
            Exit::World
        }
    }
}

fn requirements(service: &Service) -> Vec<Requirement> {
    let inputs = service.inputs.iter().map(|input| (&input.topic, Role::Input));
    let output = &service.output;
    let outputs =
        [(&output.changes, Role::Changes), (&output.standing, Role::Standing), (&output.rejects, Role::Rejects)];
    inputs.chain(outputs).map(|(topic, role)| Requirement { topic: topic.clone(), role }).collect()
}

fn look(args: &Args, settings: &Settings, required: &[Requirement]) -> Result<Topics, Error> {
    let topics = Topics::look(settings, required)?;
    if !args.create || topics.missing.is_empty() {
        return Ok(topics);
    }
    let n_partitions = match topics.n_partitions {
        0 => args.partitions,
        n => i32::try_from(n).expect("a topic has fewer partitions than an i32 counts"),
    };
    // -1 leaves it to the brokers.
    Topics::create(settings, &topics.missing, n_partitions, args.replicas.unwrap_or(-1))?;
    for made in &topics.missing {
        eprintln!("made {} with {n_partitions} partitions", made.topic);
    }
    for _ in 1..N_LOOKS_MAX {
        let topics = Topics::look(settings, required)?;
        if topics.missing.is_empty() {
            return Ok(topics);
        }
        let _ = crossbeam_channel::after(LOOK_AGAIN).recv();
    }
    Topics::look(settings, required)
}

/// A line a topic, and under it what is wrong with it.
fn report(required: &[Requirement], topics: &Topics) -> String {
    let mut text = String::new();
    for requirement in required {
        let of_topic: Vec<&Finding> =
            topics.findings.iter().filter(|finding| finding.topic == requirement.topic).collect();
        let verdict = match &of_topic[..] {
            [] => "fine",
            found if found.iter().all(|finding| finding.is_warning) => "usable",
            _ => "wrong",
        };
        text.push_str(&format!("{:<8} {:<8} {}\n", verdict, role(requirement.role), requirement.topic));
        for finding in of_topic {
            let severity = if finding.is_warning { "warning" } else { "error" };
            text.push_str(&format!("         {severity}: {}\n         fix: {}\n", finding.problem, finding.remedy));
        }
    }
    text
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Input => "input",
        Role::Changes => "changes",
        Role::Standing => "standing",
        Role::Rejects => "rejects",
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn each_topic_has_its_verdict_and_its_fix() {
        let requirement = |topic: &str, role| Requirement { topic: topic.to_owned(), role };
        let required = [requirement("purchases", Role::Input), requirement("standing", Role::Standing)];
        let finding = Finding {
            topic: "standing".to_owned(),
            is_warning: false,
            problem: "it does not exist".to_owned(),
            remedy: "make it".to_owned(),
        };
        let topics = Topics {
            n_partitions: 3,
            findings: vec![finding],
            missing: Vec::new(),
            retention_ms: None,
            tombstone_ms: None,
            ids: Default::default(),
        };
        expect![[r#"
            fine     input    purchases
            wrong    standing standing
                     error: it does not exist
                     fix: make it
        "#]]
        .assert_eq(&report(&required, &topics));
    }
}
