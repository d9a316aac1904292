//! Whether a stream is looked at by a person, and may be coloured. Honours `NO_COLOR` (any value that is not empty)
//! and `TERM=dumb`.

use std::io::IsTerminal;

/// True when standard output is a terminal.
pub fn is_stdout() -> bool {
    std::io::stdout().is_terminal()
}

/// True when standard error is a terminal: only there progress is shown.
pub fn is_stderr() -> bool {
    std::io::stderr().is_terminal()
}

/// True when standard output may be coloured.
pub fn colours_stdout() -> bool {
    is_stdout() && colours_wanted()
}

/// True when standard error may be coloured.
pub fn colours_stderr() -> bool {
    is_stderr() && colours_wanted()
}

fn colours_wanted() -> bool {
    let said_no = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !said_no && !is_dumb
}
