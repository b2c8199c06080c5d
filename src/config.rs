//! What the operator sets: flags over environment over file over defaults, parsed once and handed down.
//! Reads the environment and the file here and nowhere else.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use ipnet::IpNet;
use serde::Deserialize;
use url::Url;

use crate::domain::secret::Secret;

/// Flags of `tidegate serve`. Each is also read from the environment and, with `_` for `-`, from the TOML file.
#[derive(Args, Clone, Debug, Default)]
pub struct ServeFlags {
    /// TOML file with any of these settings; see examples/tidegate.toml
    #[arg(long, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address that the REST API listens on [default: 127.0.0.1:8080]
    #[arg(long, env = "TIDEGATE_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Folder that holds everything the gateway remembers [default: data]
    #[arg(long, env = "TIDEGATE_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder with further elements, one <key>.wasm each [default: none]
    #[arg(long, env = "TIDEGATE_ELEMENTS_DIR", value_name = "DIR")]
    pub elements_dir: Option<PathBuf>,
    /// Let callbacks and vendors be on private, loopback and link-local addresses; for trials and closed networks
    #[arg(long, env = "TIDEGATE_ALLOW_PRIVATE_NETWORKS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub allow_private_networks: Option<bool>,
    /// No resource is polled more often; shorter intervals are raised to it [default: 60s]
    #[arg(long, env = "TIDEGATE_MIN_REFRESH_INTERVAL", value_name = "DURATION", value_parser = parse_duration)]
    pub min_refresh_interval: Option<Duration>,
    /// How long delivered events can be looked up [default: 168h]
    #[arg(long, env = "TIDEGATE_RETENTION", value_name = "DURATION", value_parser = parse_duration)]
    pub retention: Option<Duration>,
    /// How long dead letters, and what waits for a disabled endpoint, are kept [default: 720h]
    #[arg(long, env = "TIDEGATE_UNDELIVERED_RETENTION", value_name = "DURATION", value_parser = parse_duration)]
    pub undelivered_retention: Option<Duration>,
    /// Longest wait for a vendor's answer [default: 60s]
    #[arg(long, env = "TIDEGATE_VENDOR_TIMEOUT", value_name = "DURATION", value_parser = parse_duration)]
    pub vendor_timeout: Option<Duration>,
    /// Longest wait for a callback's answer [default: 30s]
    #[arg(long, env = "TIDEGATE_CALLBACK_TIMEOUT", value_name = "DURATION", value_parser = parse_duration)]
    pub callback_timeout: Option<Duration>,
    /// How long the audit log of changes and failed logins is kept [default: 90d]
    #[arg(long, env = "TIDEGATE_AUDIT_RETENTION", value_name = "DURATION", value_parser = parse_duration)]
    pub audit_retention: Option<Duration>,
    /// Networks that callbacks and vendors may be on although they are on the block list, e.g. 10.1.0.0/16 [default: none]
    #[arg(
        long,
        env = "TIDEGATE_ALLOW_NETWORKS",
        value_name = "CIDR,...",
        value_delimiter = ','
    )]
    pub allow_networks: Option<Vec<IpNet>>,
    /// Refuse callbacks and vendors that are not reached by https
    #[arg(long, env = "TIDEGATE_REQUIRE_HTTPS", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub require_https: Option<bool>,
    /// Networks of reverse proxies that are believed about their clients' addresses (X-Forwarded-For) [default: none]
    #[arg(
        long,
        env = "TIDEGATE_TRUSTED_PROXIES",
        value_name = "CIDR,...",
        value_delimiter = ','
    )]
    pub trusted_proxies: Option<Vec<IpNet>>,
    /// How the log is written: text or json [default: text]
    #[arg(long, env = "TIDEGATE_LOG_FORMAT", value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
    /// What is logged, e.g. info or tidegate=debug [default: info]
    #[arg(long, env = "TIDEGATE_LOG", value_name = "FILTER")]
    pub log: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The file. Unknown keys are errors.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    data_dir: Option<PathBuf>,
    elements_dir: Option<PathBuf>,
    allow_private_networks: Option<bool>,
    #[serde(default)]
    allow_networks: Vec<IpNet>,
    #[serde(default)]
    trusted_proxies: Vec<IpNet>,
    require_https: Option<bool>,
    audit_retention: Option<String>,
    min_refresh_interval: Option<String>,
    retention: Option<String>,
    undelivered_retention: Option<String>,
    vendor_timeout: Option<String>,
    callback_timeout: Option<String>,
    log_format: Option<LogFormat>,
    log: Option<String>,
    user_secret: Option<String>,
    organization_secret: Option<String>,
    operator: Option<OperatorFile>,
    #[serde(default)]
    elements: BTreeMap<String, BTreeMap<String, toml::Value>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorFile {
    callback_url: Option<String>,
    signature_key: Option<String>,
}

/// Where the operator is told of what nobody else would see.
#[derive(Clone, Debug)]
pub struct OperatorCallback {
    pub url: String,
    pub signature_key: Option<Secret>,
}

/// All settings, complete.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub elements_dir: Option<PathBuf>,
    pub allow_private_networks: bool,
    /// Networks that may be reached although they are on the block list.
    pub allow_networks: Vec<IpNet>,
    pub min_refresh_interval: Duration,
    pub retention: Duration,
    pub undelivered_retention: Duration,
    pub audit_retention: Duration,
    /// Callbacks and vendors are reached by https alone.
    pub require_https: bool,
    /// Who is believed about where a request to the REST API comes from.
    pub trusted_proxies: Vec<IpNet>,
    pub vendor_timeout: Duration,
    pub callback_timeout: Duration,
    pub log_format: LogFormat,
    pub log: String,
    /// The account's secrets where the operator sets them.
    pub user_secret: Option<Secret>,
    pub organization_secret: Option<Secret>,
    pub operator: Option<OperatorCallback>,
    /// Configuration that an element lets an operator set, by element key.
    pub elements: BTreeMap<String, BTreeMap<String, Secret>>,
    /// Where secrets among them may go beside the manifest's hosts, by element key.
    pub secret_hosts: BTreeMap<String, Vec<String>>,
}

/// The one setting of an element that is the gateway's own.
const SECRET_HOSTS: &str = "secret_hosts";
pub const USER_SECRET: &str = "TIDEGATE_USER_SECRET";
pub const OPERATOR_CALLBACK_URL: &str = "TIDEGATE_OPERATOR_CALLBACK_URL";
pub const OPERATOR_SIGNATURE_KEY: &str = "TIDEGATE_OPERATOR_SIGNATURE_KEY";
pub const ORGANIZATION_SECRET: &str = "TIDEGATE_ORGANIZATION_SECRET";

impl Config {
    /// From the process's own environment, and the file that the flags name.
    ///
    /// # Errors
    /// The file can't be read, or a setting in it can't be understood.
    pub fn load(flags: &ServeFlags) -> anyhow::Result<Self> {
        let text = match &flags.config {
            Some(path) => read(path)?,
            None => String::new(),
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "configuration is where the environment is read"
        )]
        let environment = |name: &str| std::env::var(name).ok();
        let named = flags.config.as_deref().unwrap_or(Path::new("the configuration"));
        Self::from_parts(flags, &text, environment).with_context(|| format!("reading {}", named.display()))
    }

    /// # Errors
    /// A setting can't be understood.
    pub fn from_parts(
        flags: &ServeFlags,
        text: &str,
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", without_source(text, &error)))?;
        let duration = |name: &str, flag: Option<Duration>, text: Option<&String>, default: Duration| match (flag, text)
        {
            (Some(duration), _) => Ok(duration),
            (None, Some(text)) => parse_duration(text).map_err(|error| anyhow::anyhow!("{name}: {error}")),
            (None, None) => Ok(default),
        };
        let secret = |name: &str, file: Option<String>| -> anyhow::Result<Option<Secret>> {
            match environment(name).or(file) {
                Some(text) if text.trim().is_empty() || text.contains(',') => {
                    bail!("{name}: expected text without commas, found an empty one or one with a comma")
                }
                other => Ok(other.map(|text| Secret::new(text.trim()))),
            }
        };
        let mut file = file;
        let mut secret_hosts = BTreeMap::new();
        for (key, settings) in &mut file.elements {
            if let Some(value) = settings.remove(SECRET_HOSTS) {
                let hosts = hosts(value).map_err(|error| anyhow::anyhow!("elements.{key}.{SECRET_HOSTS}: {error}"))?;
                secret_hosts.insert(key.clone(), hosts);
            }
        }
        let elements = file.elements.into_iter().map(|(key, settings)| {
            (
                key,
                settings
                    .into_iter()
                    .map(|(name, value)| (name, Secret::new(setting_text(value))))
                    .collect(),
            )
        });
        Ok(Self {
            listen: flags
                .listen
                .or(file.listen)
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            data_dir: flags
                .data_dir
                .clone()
                .or(file.data_dir)
                .unwrap_or_else(|| "data".into()),
            elements_dir: flags.elements_dir.clone().or(file.elements_dir),
            allow_private_networks: flags
                .allow_private_networks
                .or(file.allow_private_networks)
                .unwrap_or(false),
            allow_networks: flags.allow_networks.clone().unwrap_or(file.allow_networks),
            trusted_proxies: flags.trusted_proxies.clone().unwrap_or(file.trusted_proxies),
            require_https: flags.require_https.or(file.require_https).unwrap_or(false),
            audit_retention: duration(
                "audit_retention",
                flags.audit_retention,
                file.audit_retention.as_ref(),
                Duration::from_hours(90 * 24),
            )?,
            min_refresh_interval: duration(
                "min_refresh_interval",
                flags.min_refresh_interval,
                file.min_refresh_interval.as_ref(),
                Duration::from_mins(1),
            )?,
            retention: duration(
                "retention",
                flags.retention,
                file.retention.as_ref(),
                Duration::from_hours(168),
            )?,
            undelivered_retention: duration(
                "undelivered_retention",
                flags.undelivered_retention,
                file.undelivered_retention.as_ref(),
                Duration::from_hours(720),
            )?,
            vendor_timeout: duration(
                "vendor_timeout",
                flags.vendor_timeout,
                file.vendor_timeout.as_ref(),
                Duration::from_mins(1),
            )?,
            callback_timeout: duration(
                "callback_timeout",
                flags.callback_timeout,
                file.callback_timeout.as_ref(),
                Duration::from_secs(30),
            )?,
            log_format: flags.log_format.or(file.log_format).unwrap_or_default(),
            log: flags.log.clone().or(file.log).unwrap_or_else(|| "info".into()),
            user_secret: secret(USER_SECRET, file.user_secret)?,
            organization_secret: secret(ORGANIZATION_SECRET, file.organization_secret)?,
            operator: operator(file.operator.unwrap_or_default(), &environment)?,
            elements: elements.collect(),
            secret_hosts,
        })
    }
}

fn operator(
    file: OperatorFile,
    environment: &impl Fn(&str) -> Option<String>,
) -> anyhow::Result<Option<OperatorCallback>> {
    let key = environment(OPERATOR_SIGNATURE_KEY).or(file.signature_key);
    let Some(url) = environment(OPERATOR_CALLBACK_URL).or(file.callback_url) else {
        if key.is_some() {
            bail!("operator.signature_key is set and operator.callback_url is not: there is nobody to sign for");
        }
        return Ok(None);
    };
    // It is not repeated: what it holds may be a secret.
    let parsed = Url::parse(&url).context("operator.callback_url: expected a URL")?;
    if !matches!(parsed.scheme(), "http" | "https") {
        let scheme = parsed.scheme();
        bail!("operator.callback_url: expected an http or https URL, found {scheme}");
    }
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.port() == Some(0) {
        bail!("operator.callback_url: holds a user, a password or port 0, and is never posted to with one of them");
    }
    Ok(Some(OperatorCallback {
        url,
        signature_key: key.map(Secret::new),
    }))
}

/// The error without the line that it is about, which may hold a secret.
fn without_source(text: &str, error: &toml::de::Error) -> String {
    let line = error
        .span()
        .map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map_or_else(String::new, |line| format!("line {line}: "));
    format!("{place}{}", error.message())
}

/// `api.example.com` or `*.example.com`, reached by https; or `http://127.0.0.1:8080`, which must match whole.
fn hosts(value: toml::Value) -> Result<Vec<String>, String> {
    let expected = |found: &dyn std::fmt::Display| {
        format!("expected a list of hosts such as \"*.example.com\" or \"https://example.com:8443\", found {found}")
    };
    let hosts: Vec<String> = value.clone().try_into().map_err(|_| expected(&setting_text(value)))?;
    let is_host = |text: &str| {
        let name = text.strip_prefix("*.").unwrap_or(text);
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte))
    };
    let is_origin =
        |text: &str| Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match hosts.iter().find(|host| !is_host(host) && !is_origin(host)) {
        Some(other) => Err(expected(&format!("{other:?}"))),
        None => Ok(hosts),
    }
}

/// Elements' settings are text; whoever writes `true` or `5` in the file means it so.
fn setting_text(value: toml::Value) -> String {
    match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Boolean(value) => value.to_string(),
        other => other.as_str().map_or_else(|| format!("{other:?}"), str::to_owned),
    }
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))
}

/// `60s`, `15m`, `1h`, `500ms`, `1.5s`; more than zero.
fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a duration such as 60s, 15m or 500ms, found {text:?}");
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| expected())?;
    let seconds = match unit {
        "ms" => number / 1_000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3_600.0,
        "d" => number * 86_400.0,
        _ => return Err(expected()),
    };
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(expected)
}

#[cfg(test)]
mod tests;
