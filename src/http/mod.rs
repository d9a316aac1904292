//! Metrics, health and look-ups over HTTP, on loopback unless configured otherwise. Reads what the pipeline tells;
//! what happens here never holds up the pipeline, which runs on threads of its own.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "listens, and has a thread of its own")]

mod customers;
mod pages;
mod problem;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

pub use pages::Sources;
pub use problem::UNKNOWN_CUSTOMER;

/// Open requests get this long when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(2);
/// How often histograms are folded, whether somebody asks for metrics or not.
const FOLD_INTERVAL: Duration = Duration::from_secs(5);

/// The server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot listen on http://{address}: {source}; choose another `http.listen`")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("cannot start the HTTP server: {0}")]
    Start(#[from] io::Error),
}

/// A server at work on a thread of its own. It stops when it is told to or dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens on `address` (port 0: any free one) and answers from then on.
pub fn start(address: SocketAddr, sources: Sources) -> Result<Server, Error> {
    let listener = TcpListener::bind(address).map_err(|source| Error::Bind { address, source })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        if let Err(error) = runtime.block_on(serve(listener, sources, stopped)) {
            tracing::error!(%error, "the HTTP server ended");
        }
        runtime.shutdown_background();
    })?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

impl Server {
    /// Where it listens; has the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Takes no more connections, lets open requests finish, and returns in bounded time.
impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it has ended the process already.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, sources: Sources, stopped: oneshot::Receiver<()>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let metrics = sources.metrics.clone();
    let (draining, drained) = oneshot::channel();
    let stopping = async move {
        // A dropped sender means the same.
        let _ = stopped.await;
        drop(draining);
    };
    let serving = axum::serve(listener, pages::router(sources)).with_graceful_shutdown(stopping);
    tokio::select! {
        result = async { serving.await } => result,
        () = give_up(drained) => Ok(()),
        () = fold(metrics) => Ok(()),
    }
}

/// Ends a while after the server began to stop.
async fn give_up(drained: oneshot::Receiver<()>) {
    let _ = drained.await;
    tokio::time::sleep(DRAIN_MAX).await;
}

/// Never ends.
async fn fold(metrics: crate::telemetry::Exposition) {
    let mut interval = tokio::time::interval(FOLD_INTERVAL);
    loop {
        interval.tick().await;
        metrics.fold();
    }
}
