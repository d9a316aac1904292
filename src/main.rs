//! The `dormouse` command.

fn main() -> std::process::ExitCode {
    println!("dormouse {}", env!("CARGO_PKG_VERSION"));
    std::process::ExitCode::SUCCESS
}
