//! A server that speaks S3, on loopback: moto, with a bucket of one's own for each test.
//!
//! It is started once for a test program and does not outlive it: a shell keeps it and waits on a pipe from us. Nothing it
//! holds is written to disk.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Waits on standard input; its end, by whatever cause, ends the server too.
const KEEPER: &str = r#"
"$@" >/dev/null 2>&1 &
echo $!
while read -r _; do :; done
kill -9 $! 2>/dev/null
"#;

/// A running server.
pub struct Server {
    port: u16,
    _keeper: Child,
}

impl Server {
    /// One for the whole test program, started by the first who asks.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Server::start)
    }

    fn start() -> Server {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let program = std::env::var_os("DORMOUSE_MOTO").map(Into::into);
        let program = program.unwrap_or_else(|| root.join(".tools/moto/bin/moto_server"));
        assert!(program.exists(), "{} is not there; scripts/moto.sh installs it", program.display());
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell can be started");
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().expect("it is a pipe"))
            .read_line(&mut line)
            .expect("the shell says its id");
        let server = Server { port, _keeper: keeper };
        let deadline = Instant::now() + START_TIMEOUT;
        while server.try_request("GET", "/").is_err() {
            assert!(Instant::now() < deadline, "moto did not answer within {START_TIMEOUT:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, name: &str) {
        let answer = self.try_request("PUT", &format!("/{name}")).expect("moto answers");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Deletes an object, behind the back of whoever wrote it.
    pub fn delete(&self, bucket: &str, object: &str) {
        let answer = self.try_request("DELETE", &format!("/{bucket}/{object}")).expect("moto answers");
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// The environment by which its clients find it.
    pub fn environment(&self) -> Vec<(String, String)> {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "testing"),
            ("AWS_SECRET_ACCESS_KEY", "testing"),
        ];
        variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    fn try_request(&self, method: &str, path: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        // A signature is not looked at; whose account it is, is.
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}
