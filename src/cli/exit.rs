//! What the process tells its caller when it ends. The only place that knows the numbers.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything was done and is fine.
    Fine,
    /// The command worked and found something that somebody should look at.
    Findings,
    /// The arguments or the configuration are wrong; nothing was started.
    Usage,
    /// A file, the network or Kafka failed.
    World,
    /// We are wrong: an assertion of ours failed.
    Bug,
}

impl Exit {
    /// The number that the process ends with. A bug has the one that Rust gives to a panic.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Fine => 0,
            Exit::Findings => 1,
            Exit::Usage => 2,
            Exit::World => 3,
            Exit::Bug => 101,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}
