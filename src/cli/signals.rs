//! Ctrl-C and SIGTERM: the first asks for a clean end, the second ends the process at once.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

use super::exit::Exit;
use crate::pipeline::Stop;

/// From now on signals request `stop`, on a thread of their own.
pub fn request_on_signal(stop: &Stop) -> io::Result<()> {
    let stop = stop.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate) = {
        let _inside = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let wait = async move {
        for n_seen in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if n_seen > 0 {
                eprintln!("stopped at once; what was not committed is read again at the next start");
                std::process::exit(Exit::World.code().into());
            }
            tracing::info!("stopping; a second signal stops at once");
            stop.request();
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(wait))?;
    Ok(())
}
