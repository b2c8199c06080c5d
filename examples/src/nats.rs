//! A real nats-server with JetStream as a child process: started, given streams, read, killed and started again.
//! Speaks the protocol by itself, in a few blocking lines, so that what the gateway published is read by another's code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nothing here takes longer, unless the server hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// Where Debian puts it, which is not in everybody's PATH.
const PROGRAMS: [&str; 2] = ["nats-server", "/usr/sbin/nats-server"];

/// Dropping it kills the process and removes its files.
#[derive(Debug)]
pub struct NatsServer {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
    configuration: String,
    /// User and password that our own requests take.
    pub credentials: Option<(String, String)>,
}

/// A message as the stream has it.
#[derive(Debug)]
pub struct Stored {
    pub sequence: u64,
    pub subject: String,
    pub headers: Vec<(String, String)>,
    pub data: Vec<u8>,
}

impl Stored {
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The program, where there is one.
#[must_use]
pub fn program() -> Option<&'static str> {
    let runs = |program: &&str| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    PROGRAMS.into_iter().find(runs)
}

impl NatsServer {
    /// On a free port of this machine, with JetStream; `configuration` is what else stands in its file.
    ///
    /// # Errors
    /// There is no nats-server, or it does not start.
    pub fn start(configuration: &str) -> Result<Self> {
        let directory = tempfile::tempdir().context("making the server's folder")?;
        let (child, address) = run(&directory, configuration, None)?;
        Ok(Self {
            child,
            address,
            directory,
            configuration: configuration.to_owned(),
            credentials: None,
        })
    }

    /// For a test. None, and a word about it, where there is no nats-server; CI must have one.
    ///
    /// # Panics
    /// In CI without a server, and where the server does not start.
    #[must_use]
    #[expect(clippy::print_stderr, reason = "people are told why a test was skipped")]
    pub fn of_a_test(configuration: &str) -> Option<Self> {
        if program().is_none() {
            let words = "there is no nats-server: apt-get install nats-server";
            assert!(std::env::var_os("CI").is_none(), "{words}, and CI must have it");
            eprintln!("SKIPPED {words}");
            return None;
        }
        let server = Self::start(configuration);
        Some(server.unwrap_or_else(|error| panic!("{error:#}")))
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As a callback: `nats://127.0.0.1:4222/subject`.
    #[must_use]
    pub fn url(&self, subject: &str) -> String {
        format!("nats://{}/{subject}", self.address)
    }

    /// As a power cut would, but for the disk.
    ///
    /// # Errors
    /// The process cannot be ended.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("killing nats-server")?;
        self.child.wait().context("waiting for nats-server")?;
        Ok(())
    }

    /// The same again, on the same port, with what it had stored.
    ///
    /// # Errors
    /// It does not start.
    pub fn restart(&mut self) -> Result<()> {
        let (child, _) = run(&self.directory, &self.configuration, Some(self.address.port()))?;
        self.child = child;
        Ok(())
    }

    /// A stream with these settings besides its name and subjects.
    ///
    /// # Errors
    /// The server says why not.
    pub fn add_stream(&self, name: &str, subjects: &[&str], settings: &Value) -> Result<()> {
        let mut stream = json!({"name": name, "subjects": subjects, "storage": "file", "num_replicas": 1});
        let (Some(stream_object), Some(settings)) = (stream.as_object_mut(), settings.as_object()) else {
            bail!("settings are an object");
        };
        stream_object.extend(settings.clone());
        self.api(&format!("STREAM.CREATE.{name}"), &stream).map(drop)
    }

    /// All that a stream has, in its order.
    ///
    /// # Errors
    /// The server says why not.
    pub fn messages(&self, stream: &str) -> Result<Vec<Stored>> {
        let info = self.api(&format!("STREAM.INFO.{stream}"), &Value::Null)?;
        let bound = |name: &str| info["state"][name].as_u64().unwrap_or_default();
        if bound("messages") == 0 {
            return Ok(Vec::new());
        }
        (bound("first_seq")..=bound("last_seq"))
            .map(|sequence| {
                let found = self.api(&format!("STREAM.MSG.GET.{stream}"), &json!({"seq": sequence}))?;
                stored(&found["message"])
            })
            .collect()
    }

    /// One request to JetStream.
    ///
    /// # Errors
    /// The server says why not.
    pub fn api(&self, method: &str, body: &Value) -> Result<Value> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let answer = self.request(&format!("$JS.API.{method}"), body.as_bytes())?;
        let answer: Value = serde_json::from_slice(&answer).context("reading JetStream's answer")?;
        ensure!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        Ok(answer)
    }

    fn request(&self, subject: &str, body: &[u8]) -> Result<Vec<u8>> {
        let mut socket = TcpStream::connect(self.address).context("connecting to nats-server")?;
        socket.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut connect = json!({"verbose": false, "pedantic": false, "lang": "test", "version": "0", "protocol": 0});
        if let Some((user, password)) = &self.credentials {
            connect["user"] = json!(user);
            connect["pass"] = json!(password);
        }
        let head = format!(
            "CONNECT {connect}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n",
            body.len()
        );
        socket.write_all(head.as_bytes())?;
        socket.write_all(body)?;
        socket.write_all(b"\r\n")?;
        let mut reader = BufReader::new(socket);
        loop {
            let mut line = String::new();
            ensure!(reader.read_line(&mut line)? > 0, "nats-server closed the connection");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["MSG", .., bytes] => {
                    let mut answer = vec![0; bytes.parse().context("reading the length of an answer")?];
                    reader.read_exact(&mut answer)?;
                    return Ok(answer);
                }
                ["PING"] => reader.get_mut().write_all(b"PONG\r\n")?,
                ["-ERR", ..] => bail!("nats-server says {line}"),
                _ => {}
            }
        }
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        // Nothing can be done about a process that cannot be ended.
        let _ended = self.kill();
    }
}

/// Starts it and waits until it says that it is ready, and where.
fn run(directory: &TempDir, configuration: &str, port: Option<u16>) -> Result<(Child, SocketAddr)> {
    let program = program().context("there is no nats-server: install it with apt-get install nats-server")?;
    let file: PathBuf = directory.path().join("server.conf");
    let store = directory.path().join("jetstream");
    // -1 is any free port, to this server.
    let port = port.map_or(-1, i32::from);
    let text = format!(
        "host: \"127.0.0.1\"\nport: {port}\njetstream {{ store_dir: {:?} }}\n{configuration}\n",
        store.display().to_string()
    );
    std::fs::write(&file, text).context("writing the server's configuration")?;
    let mut child = Command::new(program)
        .arg("--config")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting {program}"))?;
    let log = child.stderr.take().context("the server has a log")?;
    match ready(BufReader::new(log)) {
        Ok(port) => Ok((child, SocketAddr::from((Ipv4Addr::LOCALHOST, port)))),
        Err(error) => {
            let _ended = child.kill().and_then(|()| child.wait());
            Err(error)
        }
    }
}

/// Reads the log until the server is ready, and then on, so that the server never waits for us.
fn ready(mut log: BufReader<impl Read + Send + 'static>) -> Result<u16> {
    let mut port = None;
    let mut all = String::new();
    loop {
        let start = all.len();
        ensure!(log.read_line(&mut all)? > 0, "nats-server did not start:\n{all}");
        let line = all[start..].trim_end();
        if line.contains("Listening for client connections") {
            port = line.rsplit(':').next().and_then(|port| port.parse().ok());
        }
        if line.ends_with("Server is ready") {
            break;
        }
    }
    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    port.with_context(|| format!("nats-server did not say where it listens:\n{all}"))
}

fn stored(message: &Value) -> Result<Stored> {
    let text = |name: &str| message[name].as_str().unwrap_or_default();
    let headers = String::from_utf8(STANDARD.decode(text("hdrs"))?)?;
    let headers = headers.lines().filter_map(|line| line.split_once(':'));
    Ok(Stored {
        sequence: message["seq"].as_u64().context("a message has a number")?,
        subject: text("subject").to_owned(),
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        data: STANDARD.decode(text("data"))?,
    })
}
