//! The gateway as a child process: started, asked whether it is ready, called, stopped or killed.
//! Knows the command line and the authorisation header, nothing of what the gateway does.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Method, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How often a starting gateway is asked: well below what anyone notices.
const READY_INTERVAL: Duration = Duration::from_millis(25);
/// How much of the gateway's output an error quotes.
const LOG_TAIL_LINES: usize = 20;

/// How a gateway is started.
#[derive(Clone)]
pub struct GatewayOptions {
    /// The `tidegate` binary.
    pub binary: PathBuf,
    /// Holds the data directory, the elements directory and the log; the same one again is a restart.
    pub directory: PathBuf,
    /// `None`: any free port. A restart that keeps its port names it.
    pub listen: Option<SocketAddr>,
    pub user_secret: String,
    pub organization_secret: String,
    /// As the command line takes it: `1s`.
    pub min_refresh_interval: String,
    /// Further arguments of `tidegate serve`.
    pub arguments: Vec<OsString>,
    /// Further environment variables.
    pub environment: Vec<(OsString, OsString)>,
}

impl fmt::Debug for GatewayOptions {
    /// Without the secrets, and without the environment, which may hold others.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("GatewayOptions")
            .field("binary", &self.binary)
            .field("directory", &self.directory)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

impl GatewayOptions {
    /// Secrets made up for this machine, polls from one second apart.
    pub fn new(binary: impl Into<PathBuf>, directory: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            directory: directory.into(),
            listen: None,
            user_secret: "demo-user-secret".to_owned(),
            organization_secret: "demo-organization-secret".to_owned(),
            min_refresh_interval: "1s".to_owned(),
            arguments: Vec::new(),
            environment: Vec::new(),
        }
    }
}

/// A gateway under way. Dropping it kills the process.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    address: SocketAddr,
    /// Bytes of the log that an earlier process wrote.
    log_before: usize,
    client: reqwest::Client,
    options: GatewayOptions,
}

impl Gateway {
    /// Starts `tidegate serve`. It is not ready yet: see [`Gateway::wait_until_ready`].
    ///
    /// # Errors
    /// When the directories cannot be made or the binary cannot be run.
    pub fn start(options: GatewayOptions) -> Result<Self> {
        // Port 0: the system chooses a free one, and the log says which.
        let address = options
            .listen
            .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let elements = options.directory.join("elements");
        std::fs::create_dir_all(&elements).with_context(|| format!("making {}", elements.display()))?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(log_path(&options.directory))?;
        let log_before = usize::try_from(log.metadata()?.len()).context("the log is too long")?;
        let child = Command::new(&options.binary)
            .arg("serve")
            .args([
                "--listen",
                &address.to_string(),
                "--min-refresh-interval",
                &options.min_refresh_interval,
            ])
            .arg("--data-dir")
            .arg(options.directory.join("data"))
            .arg("--elements-dir")
            .arg(&elements)
            .arg("--allow-private-networks")
            .args(&options.arguments)
            .env("TIDEGATE_USER_SECRET", &options.user_secret)
            .env("TIDEGATE_ORGANIZATION_SECRET", &options.organization_secret)
            .envs(options.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("running {}", options.binary.display()))?;
        Ok(Self {
            child,
            address,
            log_before,
            client: crate::http::client(),
            options,
        })
    }

    /// Where the process listens, once its log says so.
    fn announced(&self) -> Option<SocketAddr> {
        let log = std::fs::read_to_string(log_path(&self.options.directory)).ok()?;
        let (_, after) = log.get(self.log_before..)?.split_once("gateway ready")?;
        let (_, rest) = after.lines().next()?.split_once("127.0.0.1:")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(SocketAddr::from((Ipv4Addr::LOCALHOST, digits.parse().ok()?)))
    }

    /// Waits until the process says where it listens, and `GET /health` there answers 200.
    ///
    /// # Errors
    /// When the process ends or `timeout` passes first; the error quotes the end of its log.
    pub async fn wait_until_ready(&mut self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let mut ticks = tokio::time::interval(READY_INTERVAL);
        while Instant::now() < deadline {
            ticks.tick().await;
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the gateway ended while starting ({status}); its log ends:\n{}",
                    self.log_tail()
                );
            }
            let Some(address) = self.announced() else {
                continue;
            };
            self.address = address;
            if self
                .client
                .get(format!("{}/health", self.base_url()))
                .send()
                .await
                .is_ok_and(|answer| answer.status() == StatusCode::OK)
            {
                return Ok(());
            }
        }
        bail!(
            "the gateway was not ready after {timeout:?}; its log ends:\n{}",
            self.log_tail()
        )
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was started with.
    pub fn options(&self) -> &GatewayOptions {
        &self.options
    }

    /// The `Authorization` of platform calls.
    pub fn owner(&self) -> String {
        format!(
            "User {}, Organization {}",
            self.options.user_secret, self.options.organization_secret
        )
    }

    /// The `Authorization` of hub calls with an instance's token.
    pub fn bearer(&self, token: &str) -> String {
        format!("User {}, Element {token}", self.options.user_secret)
    }

    /// Sends a request and reads the answer as JSON; null where it is none.
    ///
    /// # Errors
    /// When no answer comes.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        authorization: &str,
        body: Option<String>,
    ) -> Result<(StatusCode, Value)> {
        let url = format!("{}{path}", self.base_url());
        let mut request = self.client.request(method, url).header("authorization", authorization);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = request.send().await.with_context(|| format!("calling {path}"))?;
        let status = answer.status();
        let text = answer
            .text()
            .await
            .with_context(|| format!("reading the answer of {path}"))?;
        Ok((status, serde_json::from_str(&text).unwrap_or_default()))
    }

    /// A call as the owner that must succeed.
    ///
    /// # Errors
    /// When no answer comes or its status is no success; the error has the gateway's message.
    pub async fn expect(&self, method: Method, path: &str, body: Option<String>) -> Result<Value> {
        let (status, answer) = self.call(method.clone(), path, &self.owner(), body).await?;
        ensure!(status.is_success(), "{method} {path} was answered {status}: {answer}");
        Ok(answer)
    }

    /// What the gateway wrote last on its streams.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(log_path(&self.options.directory)).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    /// The process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits for the process to end by itself.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// SIGTERM, and waits for the clean end.
    ///
    /// # Errors
    /// When it does not end within `timeout`.
    pub async fn stop(&mut self, timeout: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        let ended = tokio::time::timeout(timeout, self.child.wait()).await;
        Ok(ended.with_context(|| format!("the gateway did not stop within {timeout:?}"))??)
    }

    /// SIGKILL, as a crash; returns the options for starting it again.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub async fn kill(&mut self) -> Result<GatewayOptions> {
        self.child.kill().await.context("killing the gateway")?;
        Ok(GatewayOptions {
            listen: Some(self.address),
            ..self.options.clone()
        })
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        // Without an id it has ended and been waited for: there is nobody to signal.
        let Some(id) = self.child.id() else { return Ok(()) };
        let pid = i32::try_from(id)
            .ok()
            .and_then(Pid::from_raw)
            .context("the gateway's process id")?;
        kill_process(pid, signal).context("signalling the gateway")
    }
}

fn log_path(directory: &Path) -> PathBuf {
    directory.join("gateway.log")
}
