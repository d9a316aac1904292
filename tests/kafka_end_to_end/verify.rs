//! `dormouse verify` on a real Kafka: clean after an undisturbed life and after kills, and a forged change is found.

use std::process::{Command, Stdio};

use crate::shop::{Shop, now_ms, order, quick_rules};
use serde_json::Value;
use testbed::kafka::{Broker, Record};

const QUICK: &str = "[time]\ngrace = \"2s\"\n";

/// Exit code and what was found.
fn verify(shop: &Shop, arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dormouse"));
    command.current_dir(shop.folder()).args(["verify", "-c", "a.toml", "--json"]).args(arguments);
    let output = command.env_clear().stdin(Stdio::null()).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let document = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| Value::from(said.into_owned()));
    (output.status.code(), document)
}

fn kinds(document: &Value) -> Vec<(String, String)> {
    let findings = document["findings"].as_array().expect("a list");
    let text = |finding: &Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    findings.iter().map(|finding| (text(finding, "kind"), text(finding, "customer_id"))).collect()
}

/// Three customers in four come in time; the others' second order came late, after they had been told to be dormant.
#[test]
fn what_a_service_told_is_verified_and_a_forged_change_is_found() {
    let broker = Broker::shared();
    let shop = Shop::open(broker, "verified", 2, &["orders", "more"], &quick_rules("4s"));
    let instance = shop.start("a", QUICK);
    let start = now_ms();
    let first: Vec<String> = (0..80).map(|n| order(&format!("c-{n}"), &format!("o-{n}"), start)).collect();
    shop.produce(0, first.iter().map(String::as_str));
    shop.wait_for_changes(80, |change| change.4 == "active");
    instance.kill9();
    let instance = shop.start("a", QUICK);
    shop.wait_for_changes(80, |change| change.4 == "dormant");
    // Orders of before they became dormant, and some of now.
    let late: Vec<String> = (0..20).map(|n| order(&format!("c-{n}"), &format!("late-{n}"), start + 2_000)).collect();
    shop.produce(1, late.iter().map(String::as_str));
    let again = now_ms();
    let new: Vec<String> = (40..60).map(|n| order(&format!("c-{n}"), &format!("new-{n}"), again)).collect();
    shop.produce(0, new.iter().map(String::as_str));
    shop.wait_for_changes(100, |change| change.4 == "active");
    // Verified while the service runs, and again when it has ended.
    let (code, document) = verify(&shop, &[]);
    assert_eq!((code, kinds(&document)), (Some(0), vec![]), "{document}");
    shop.wait_for_changes(100, |change| change.4 == "dormant");
    shop.wait_until("the end of the input", || shop.is_consumed());
    assert_eq!(instance.terminate().0, Some(0), "{}", shop.logs());
    let (code, document) = verify(&shop, &[]);
    assert_eq!((code, &document["customers"]), (Some(0), &80.into()), "{document}");
    assert!(document["right_with_late_events"].as_u64() > Some(0), "{document}");
    assert_eq!((&document["newer_changes"], &document["pending"]), (&0.into(), &0.into()), "{document}");
    assert_eq!(document["changes"].as_u64(), Some(shop.changes().len() as u64), "{document}");

    // Somebody else writes to the changes topic: a change that looks like the last one of a customer.
    let topic = format!("{}-changes", shop.name);
    let published = broker.read_visible(&topic);
    let last =
        published.iter().rfind(|record| record.text().contains("\"customer_id\":\"c-70\"")).expect("c-70 changed");
    let mut forged: Value = serde_json::from_str(last.text()).expect("it is JSON");
    forged["sequence"] = (forged["sequence"].as_u64().expect("a number") + 1).into();
    broker.produce(&topic, [Record { value: Some(forged.to_string().into_bytes()), ..last.clone() }]);
    broker.produce(&topic, [Record { value: Some(b"no change".to_vec()), ..last.clone() }]);
    let (code, document) = verify(&shop, &["--customer", "c-70"]);
    assert_eq!(code, Some(1), "{document}");
    let mut found = kinds(&document);
    found.sort();
    let named = |kind: &str| (kind.to_owned(), "c-70".to_owned());
    assert_eq!(found, [named("extra"), named("unreadable")], "{document}");
    let (code, document) = verify(&shop, &["--customer", "c-1"]);
    assert_eq!(
        (code, &document["wrong"]),
        (Some(1), &0.into()),
        "a record that nobody can read is always said: {document}"
    );

    std::fs::write(shop.folder().join("segments.toml"), quick_rules("5s")).expect("written");
    let (code, said) = verify(&shop, &[]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.as_str().is_some_and(|said| said.contains("was last run by rules")), "{said}");
}
