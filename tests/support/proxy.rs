//! A network that misbehaves: stands between a broker and its clients, and delays, loses, doubles and repeats what they
//! say to each other.
//!
//! It knows as much of Kafka's protocol as it takes to tell one request from another and an answer by its request:
//! frames, the kind of a request, who sends it. It rewrites nothing; the broker advertises the proxy's address.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Kinds of requests, by their number in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Api(pub i16);

impl Api {
    pub const PRODUCE: Api = Api(0);
    pub const FETCH: Api = Api(1);
    pub const LIST_OFFSETS: Api = Api(2);
    pub const METADATA: Api = Api(3);
    pub const FIND_COORDINATOR: Api = Api(10);
    pub const JOIN_GROUP: Api = Api(11);
    pub const HEARTBEAT: Api = Api(12);
    pub const LEAVE_GROUP: Api = Api(13);
    pub const SYNC_GROUP: Api = Api(14);
    pub const INIT_PRODUCER_ID: Api = Api(22);
    pub const ADD_PARTITIONS: Api = Api(24);
    pub const ADD_OFFSETS: Api = Api(25);
    pub const END_TXN: Api = Api(26);
    pub const TXN_OFFSET_COMMIT: Api = Api(28);
}

/// What happens to a request or its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request is on its way for so long, and arrives even if nobody waits for its answer any more.
    Late(Duration),
    /// The answer is on its way for so long.
    HeldAnswer(Duration),
    /// The connection breaks, and the request is lost.
    LostRequest,
    /// The connection breaks, and the answer is lost.
    LostAnswer,
    /// The answer comes twice.
    DoubledAnswer,
    /// The connection breaks, and the request arrives all the same, so much later, when it may have been sent again.
    Stray(Duration),
}

/// Decides what happens to each request of a client.
pub type Plan = Box<dyn FnMut(Api) -> Option<Fault> + Send>;

/// A proxy on a port of its own. Connections that are there when it is dropped are closed.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    /// Of the broker.
    port: AtomicU16,
    /// By the beginning of a client's id.
    plans: Mutex<BTreeMap<String, Plan>>,
    struck: Mutex<BTreeMap<String, usize>>,
}

/// What becomes of the next answer.
#[derive(Debug)]
enum Answer {
    Passes,
    Waits(Duration),
    IsLost,
    ComesTwice,
}

impl Proxy {
    /// Listens, and knows no broker yet.
    pub fn start() -> Proxy {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port on loopback is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let of_listener = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(Arc::clone(&of_listener), client));
            }
        });
        Proxy { address, shared, _runtime: runtime }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on connections lead to this port on loopback.
    pub fn lead_to(&self, port: u16) {
        self.shared.port.store(port, Ordering::Relaxed);
    }

    /// Clients whose id begins like this are struck by a plan.
    pub fn strike(&self, client: &str, plan: Plan) {
        self.shared.plans().insert(client.to_owned(), plan);
    }

    /// Clients whose id begins like this are left alone again.
    pub fn spare(&self, client: &str) {
        self.shared.plans().remove(client);
    }

    /// How often those clients were struck.
    pub fn n_struck(&self, client: &str) -> usize {
        let struck = self.shared.struck.lock().unwrap_or_else(PoisonError::into_inner);
        struck.get(client).copied().unwrap_or(0)
    }
}

impl Shared {
    fn plans(&self) -> MutexGuard<'_, BTreeMap<String, Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self, request: &[u8]) -> Option<Fault> {
        let (api, client) = read_header(request)?;
        let mut plans = self.plans();
        let (name, plan) = plans.iter_mut().find(|(name, _)| client.starts_with(name.as_str()))?;
        let fault = plan(api)?;
        *self.struck.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default() += 1;
        Some(fault)
    }

    async fn connect(&self) -> std::io::Result<TcpStream> {
        let server = TcpStream::connect(("127.0.0.1", self.port.load(Ordering::Relaxed))).await?;
        server.set_nodelay(true)?;
        Ok(server)
    }
}

/// Kind and client of a request: kind, its version and a number of the client's come first, of 2, 2 and 4 bytes.
fn read_header(request: &[u8]) -> Option<(Api, &str)> {
    let api = i16::from_be_bytes([*request.first()?, *request.get(1)?]);
    let length = usize::try_from(i16::from_be_bytes([*request.get(8)?, *request.get(9)?])).ok()?;
    let client = std::str::from_utf8(request.get(10..10 + length)?).ok()?;
    Some((Api(api), client))
}

async fn serve(shared: Arc<Shared>, client: TcpStream) {
    // A broker that is down refuses; so do we.
    let Ok(server) = shared.connect().await else { return };
    if client.set_nodelay(true).is_err() {
        return;
    }
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (expect, expected) = unbounded_channel();
    // Whoever of both ends closes its half, and so lets the other one end.
    tokio::spawn(pass_answers(from_server, to_client, expected));
    // An error is a connection that broke: its end, either way.
    drop(pass_requests(&shared, from_client, to_server, expect).await);
}

async fn read_frame(stream: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

async fn write_frame(stream: &mut OwnedWriteHalf, frame: &[u8]) -> std::io::Result<()> {
    let mut whole = Vec::with_capacity(4 + frame.len());
    whole.extend((frame.len() as u32).to_be_bytes());
    whole.extend(frame);
    stream.write_all(&whole).await
}

async fn pass_requests(
    shared: &Arc<Shared>,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    expect: UnboundedSender<Answer>,
) -> std::io::Result<()> {
    loop {
        let request = read_frame(&mut from).await?;
        let answer = match shared.fault(&request) {
            None => Answer::Passes,
            Some(Fault::HeldAnswer(wait)) => Answer::Waits(wait),
            Some(Fault::LostAnswer) => Answer::IsLost,
            Some(Fault::DoubledAnswer) => Answer::ComesTwice,
            Some(Fault::Late(wait)) => {
                tokio::time::sleep(wait).await;
                Answer::Passes
            }
            Some(Fault::LostRequest) => return Ok(()),
            Some(Fault::Stray(wait)) => {
                tokio::spawn(arrive_late(Arc::clone(shared), request, wait));
                return Ok(());
            }
        };
        // Nobody expects an answer any more when the client is gone; the request arrives all the same.
        drop(expect.send(answer));
        write_frame(&mut to, &request).await?;
    }
}

/// Answers come in the order of their requests.
async fn pass_answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut expected: UnboundedReceiver<Answer>) {
    while let Ok(answer) = read_frame(&mut from).await {
        let n_times = match expected.recv().await {
            Some(Answer::Passes) => 1,
            Some(Answer::Waits(wait)) => {
                tokio::time::sleep(wait).await;
                1
            }
            Some(Answer::ComesTwice) => 2,
            Some(Answer::IsLost) | None => return,
        };
        for _ in 0..n_times {
            if write_frame(&mut to, &answer).await.is_err() {
                return;
            }
        }
    }
}

/// A request that was under way when its connection broke.
async fn arrive_late(shared: Arc<Shared>, request: Vec<u8>, wait: Duration) {
    tokio::time::sleep(wait).await;
    let Ok(server) = shared.connect().await else { return };
    let (mut from, mut to) = server.into_split();
    if write_frame(&mut to, &request).await.is_ok() {
        // Nobody hears the answer.
        drop(read_frame(&mut from).await);
    }
}
