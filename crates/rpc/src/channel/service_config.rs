//! A channel's service config: what holds for which methods, in the JSON form that gRPC gives it.
//!
//! What it leaves to others: acting on it (`retry`, `exchange`). Names and rules are those of gRPC's documents "Service
//! Config" and "A6: client retries". What is not done here is refused, so that nobody believes it to be done.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Deserialize;
use serde_json::Value;
use tonic::Code;

/// The most tries that a policy may ask for; more are taken for this many.
const MOST_ATTEMPTS: u32 = 5;

/// What a channel was told about the methods that it calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ServiceConfig {
    /// By `service/method`, by `service/` for the rest of a service, and by `/` for all the rest.
    methods: BTreeMap<String, Arc<Method>>,
    pub(crate) throttling: Option<Throttling>,
}

/// What holds for a method.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Method {
    pub(crate) timeout: Option<Duration>,
    pub(crate) wait_for_ready: Option<bool>,
    pub(crate) retry: Option<Policy>,
}

/// How a call is made again that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Policy {
    /// All tries, with the first one.
    pub(crate) attempts: u32,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
    /// How many thousandths of a wait the next one is.
    pub(crate) growth: u32,
    /// The numbers of the codes after which it is made again.
    pub(crate) codes: Vec<i32>,
}

/// When calls to a server that fails are not made again any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Throttling {
    /// Thousandths.
    pub(crate) most_tokens: u32,
    /// Thousandths that a call adds that goes well.
    pub(crate) ratio: u32,
}

/// What is wrong with a service config.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("is no text")]
    NoText,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("a `name` has a `method` and no `service`")]
    MethodAlone,
    #[error("two entries of `methodConfig` name `{service}`")]
    Twice { service: String },
    /// A field, and what it has to be.
    #[error("{field} {want}")]
    Field { field: &'static str, want: &'static str },
    #[error("`retryableStatusCodes` holds {value}, which is no code of a failure")]
    Code { value: Value },
    #[error("asks for balancing by `{policy}`, and here is `pick_first` only")]
    Balancing { policy: String },
}

const fn field(field: &'static str, want: &'static str) -> Fault {
    Fault::Field { field, want }
}

impl ServiceConfig {
    /// Reads the JSON text.
    pub(crate) fn read(text: &str) -> Result<Self, Fault> {
        let raw: Raw = serde_json::from_str(text)?;
        balancing(raw.load_balancing_policy.as_deref(), &raw.load_balancing_config)?;
        let mut methods = BTreeMap::new();
        for config in raw.method_config {
            let RawMethod {
                name,
                timeout,
                wait_for_ready,
                retry_policy,
            } = config;
            let method = Arc::new(Method {
                timeout: timeout
                    .as_deref()
                    .map(|text| length("`timeout`", text))
                    .transpose()?,
                wait_for_ready,
                retry: retry_policy.map(Policy::read).transpose()?,
            });
            for name in name {
                if name.service.is_empty() && !name.method.is_empty() {
                    return Err(Fault::MethodAlone);
                }
                let key = format!("{}/{}", name.service, name.method);
                if methods.insert(key, Arc::clone(&method)).is_some() {
                    return Err(Fault::Twice {
                        service: name.service,
                    });
                }
            }
        }
        let throttling = raw.retry_throttling.map(Throttling::read).transpose()?;
        Ok(Self { methods, throttling })
    }

    /// What holds for a method, by the path of its calls: `/service/method`.
    pub(crate) fn method(&self, path: &str) -> Option<&Arc<Method>> {
        let whole = path.strip_prefix('/').unwrap_or(path);
        let service = whole.rfind('/').map_or("", |end| &whole[..=end]);
        [whole, service, "/"]
            .into_iter()
            .find_map(|key| self.methods.get(key))
    }
}

impl Policy {
    fn read(raw: RawPolicy) -> Result<Self, Fault> {
        if raw.max_attempts < 2 {
            return Err(field("`maxAttempts`", "is not at least 2"));
        }
        let first_wait = length("`initialBackoff`", &raw.initial_backoff)?;
        let longest_wait = length("`maxBackoff`", &raw.max_backoff)?;
        if first_wait.is_zero() || longest_wait.is_zero() {
            return Err(field("`initialBackoff` and `maxBackoff`", "are not both over 0"));
        }
        let growth = thousandths(raw.backoff_multiplier, u32::MAX);
        let growth = growth.ok_or(field("`backoffMultiplier`", "is no number over 0"))?;
        let codes: Result<Vec<i32>, Fault> = raw.retryable_status_codes.iter().map(code).collect();
        let codes = codes?;
        if codes.is_empty() {
            return Err(field("`retryableStatusCodes`", "is empty"));
        }
        Ok(Self {
            attempts: raw.max_attempts.min(MOST_ATTEMPTS),
            first_wait,
            longest_wait,
            growth,
            codes,
        })
    }

    /// Tells whether a call that ended so may be made again.
    pub(crate) fn covers(&self, code: Code) -> bool {
        self.codes.contains(&i32::from(code))
    }
}

impl Throttling {
    fn read(raw: RawThrottling) -> Result<Self, Fault> {
        let most_tokens = thousandths(raw.max_tokens, 1_000_000);
        let most_tokens = most_tokens.ok_or(field("`maxTokens`", "is no number over 0 and up to 1000"))?;
        let ratio = thousandths(raw.token_ratio, u32::MAX);
        let ratio = ratio.ok_or(field("`tokenRatio`", "is no number over 0"))?;
        Ok(Self { most_tokens, ratio })
    }
}

/// A number as thousandths of it, what is beyond them left out; nothing unless it is over 0 and at most so many.
fn thousandths(number: f64, most: u32) -> Option<u32> {
    let scaled = (number * 1000.0).floor();
    if !(1.0..=f64::from(most)).contains(&scaled) {
        return None;
    }
    format!("{scaled:.0}").parse().ok()
}

/// The most seconds that protobuf's lengths of time have: about 10,000 years.
const MOST_SECONDS: f64 = 315_576_000_000.0;

/// A length of time in protobuf's JSON form: seconds and an `s`.
fn length(name: &'static str, text: &str) -> Result<Duration, Fault> {
    let refuse = || field(name, "is not seconds and an `s`, such as \"0.1s\"");
    let digits = text.strip_suffix('s').ok_or_else(refuse)?;
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(refuse());
    }
    let seconds: f64 = digits.parse().map_err(|_no_number| refuse())?;
    if seconds > MOST_SECONDS {
        return Err(refuse());
    }
    Duration::try_from_secs_f64(seconds).map_err(|_too_long| refuse())
}

/// A status code by its number or its name, in either case.
fn code(value: &Value) -> Result<i32, Fault> {
    let known = (1..=16).map(Code::from_i32);
    let named = |code: &Code| match value {
        Value::Number(number) => number.as_i64() == Some(i64::from(i32::from(*code))),
        Value::String(text) => text.eq_ignore_ascii_case(wire::code_name(*code)),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => false,
    };
    let found = known.into_iter().find(named);
    found.map(i32::from).ok_or_else(|| {
        let value = value.clone();
        Fault::Code { value }
    })
}

/// One connection is all there is.
fn balancing(policy: Option<&str>, config: &[BTreeMap<String, Value>]) -> Result<(), Fault> {
    let named = policy.into_iter().map(str::to_ascii_lowercase);
    let mut all = named.chain(config.iter().flat_map(|one| one.keys().cloned()));
    match all.find(|name| name != "pick_first") {
        Some(policy) => Err(Fault::Balancing { policy }),
        None => Ok(()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    method_config: Vec<RawMethod>,
    retry_throttling: Option<RawThrottling>,
    load_balancing_policy: Option<String>,
    #[serde(default)]
    load_balancing_config: Vec<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawMethod {
    name: Vec<RawName>,
    timeout: Option<String>,
    wait_for_ready: Option<bool>,
    retry_policy: Option<RawPolicy>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawName {
    #[serde(default)]
    service: String,
    #[serde(default)]
    method: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawPolicy {
    max_attempts: u32,
    initial_backoff: String,
    max_backoff: String,
    backoff_multiplier: f64,
    retryable_status_codes: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawThrottling {
    max_tokens: f64,
    token_ratio: f64,
}

#[cfg(test)]
mod tests;
