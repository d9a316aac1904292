//! What is said and done when an assertion of ours fails. It ends the whole process, whichever thread it was: nothing
//! may be published after we know that we are wrong.

use std::panic::PanicHookInfo;

use super::exit::Exit;

/// Makes any panic end the process with [`Exit::Bug`].
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{}", message(info));
        std::process::exit(Exit::Bug.code().into());
    }));
}

fn message(info: &PanicHookInfo<'_>) -> String {
    let said = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    let thread = std::thread::current();
    format!(
        "dormouse {} stopped: this is our fault, not yours.\n  {said}\n  at {place}, thread {}\n\
         Nothing was published after it. Please report it with these lines and what was running.",
        env!("CARGO_PKG_VERSION"),
        thread.name().unwrap_or("without a name"),
    )
}
