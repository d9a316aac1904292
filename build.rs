//! Compiles the Protobuf contract with `protox`, so that nobody needs `protoc`, and tells the program which commit it
//! was built from.

use std::process::Command;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto");
    let descriptors = protox::compile(["dormouse/v1/event.proto", "dormouse/v1/change.proto"], ["proto"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    println!("cargo::rustc-env=DORMOUSE_REVISION={}", revision());
    Ok(())
}

/// `DORMOUSE_REVISION` of the build's environment, else the commit that is checked out. Only release builds ask for
/// the latter, since a development build would otherwise start anew after each commit.
fn revision() -> String {
    println!("cargo::rerun-if-env-changed=DORMOUSE_REVISION");
    if let Ok(revision) = std::env::var("DORMOUSE_REVISION") {
        return revision;
    }
    if std::env::var("PROFILE").as_deref() != Ok("release") {
        return "development".to_owned();
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
