//! Results on standard output.

use std::io::{self, ErrorKind, Write};

use super::exit::Exit;

/// Writes a result and gives `exit`. A reader that has seen enough and went away is fine.
pub fn write(text: &str, exit: Exit) -> Exit {
    let mut out = io::stdout().lock();
    ended(out.write_all(text.as_bytes()).and_then(|()| out.flush()), exit)
}

/// How a command ends that wrote results: as it would, unless they could not be written.
pub fn ended(written: io::Result<()>, exit: Exit) -> Exit {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("error: standard output takes nothing: {error}");
            Exit::World
        }
        _ => exit,
    }
}
