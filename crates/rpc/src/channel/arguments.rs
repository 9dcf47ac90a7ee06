//! Channel arguments, by the names that gRPC's libraries share.
//!
//! What it leaves to others: acting on them.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::service_config::{Fault, ServiceConfig};
use crate::{Error, error::shortened};

/// How a channel names itself, behind the name that it was given.
const AGENT: &str = concat!("soke/", env!("CARGO_PKG_VERSION"));

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// How a channel behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelArgs {
    pub(crate) keepalive_time: Option<Duration>,
    pub(crate) keepalive_timeout: Duration,
    pub(crate) keepalive_without_calls: bool,
    pub(crate) idle: Duration,
    pub(crate) first_wait: Duration,
    pub(crate) longest_wait: Duration,
    pub(crate) connect: Duration,
    pub(crate) most_received: u32,
    pub(crate) most_metadata: u32,
    pub(crate) compress: bool,
    pub(crate) user_agent: HeaderValue,
    pub(crate) deadline: Option<Duration>,
    pub(crate) wait_for_ready: bool,
    pub(crate) retries: bool,
    /// How much of a request is kept for another try.
    pub(crate) most_kept: usize,
    pub(crate) service_config: Option<Arc<ServiceConfig>>,
}

impl Default for ChannelArgs {
    fn default() -> Self {
        Self {
            keepalive_time: None,
            keepalive_timeout: Duration::from_secs(20),
            keepalive_without_calls: false,
            idle: Duration::from_secs(30 * 60),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(120),
            connect: Duration::from_secs(20),
            most_received: 4 * 1024 * 1024,
            most_metadata: 64 * 1024,
            compress: false,
            user_agent: HeaderValue::from_static(AGENT),
            deadline: None,
            wait_for_ready: false,
            retries: true,
            most_kept: 256 * 1024,
            service_config: None,
        }
    }
}

/// The names that are known, for the error message.
const KNOWN: &str = "grpc.keepalive_time_ms, grpc.keepalive_timeout_ms, grpc.keepalive_permit_without_calls, \
    grpc.client_idle_timeout_ms, grpc.initial_reconnect_backoff_ms, grpc.min_reconnect_backoff_ms, \
    grpc.max_reconnect_backoff_ms, grpc.max_receive_message_length, grpc.max_metadata_size, \
    grpc.default_compression_algorithm (0 none, 2 gzip), grpc.primary_user_agent, grpc.enable_retries, \
    grpc.per_rpc_retry_buffer_size, grpc.service_config";

impl ChannelArgs {
    /// The values that gRPC documents.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets an argument by its usual name. Times are milliseconds; the longest is 24 days.
    ///
    /// # Errors
    /// Invalid when the name is not known or the value does not fit it.
    pub fn with(mut self, name: &str, value: impl Into<Argument>) -> Result<Self, Error> {
        let value = value.into();
        let fault = |fault: &'static str| Error::ChannelArgument {
            name: shortened(name),
            fault,
            known: KNOWN,
        };
        let millis = || match value {
            Argument::Number(count @ 1..=0x7fff_ffff) => Ok(Duration::from_millis(count.unsigned_abs())),
            Argument::Number(_) | Argument::Text(_) => {
                Err(fault("is no number of milliseconds from 1 to 2147483647"))
            }
        };
        let bytes = || match value {
            Argument::Number(-1) => Ok(u32::MAX),
            Argument::Number(count) => u32::try_from(count).map_err(|_no_u32| fault("is no number of bytes")),
            Argument::Text(_) => Err(fault("is no number of bytes")),
        };
        let choice = |on: i64| match value {
            Argument::Number(0) => Ok(false),
            Argument::Number(number) if number == on => Ok(true),
            Argument::Number(_) | Argument::Text(_) => Err(fault("is none of the numbers that it may be")),
        };
        match name {
            "grpc.keepalive_time_ms" if value == Argument::Number(0x7fff_ffff) => self.keepalive_time = None,
            "grpc.keepalive_time_ms" => self.keepalive_time = Some(millis()?),
            "grpc.keepalive_timeout_ms" => self.keepalive_timeout = millis()?,
            "grpc.keepalive_permit_without_calls" => self.keepalive_without_calls = choice(1)?,
            "grpc.client_idle_timeout_ms" => self.idle = millis()?,
            "grpc.initial_reconnect_backoff_ms" => self.first_wait = millis()?,
            "grpc.min_reconnect_backoff_ms" => self.connect = millis()?,
            "grpc.max_reconnect_backoff_ms" => self.longest_wait = millis()?,
            "grpc.max_receive_message_length" => self.most_received = bytes()?,
            "grpc.max_metadata_size" => self.most_metadata = bytes()?,
            "grpc.default_compression_algorithm" => self.compress = choice(2)?,
            "grpc.enable_retries" => self.retries = choice(1)?,
            "grpc.per_rpc_retry_buffer_size" => {
                self.most_kept = usize::try_from(bytes()?).unwrap_or(usize::MAX);
            }
            "grpc.service_config" => self.service_config = Some(service_config(&value)?),
            "grpc.primary_user_agent" => match value {
                Argument::Text(text) => {
                    let agent = HeaderValue::try_from(format!("{text} {AGENT}"));
                    self.user_agent = agent.map_err(|_bytes| fault("is no text for a header"))?;
                }
                Argument::Number(_) => return Err(fault("is no text for a header")),
            },
            _ => return Err(fault("is not known")),
        }
        Ok(self)
    }

    /// Gives this long to every call that has no deadline of its own.
    #[must_use]
    pub const fn with_deadline(mut self, after: Duration) -> Self {
        self.deadline = Some(after);
        self
    }

    /// Lets every call wait for a connection that does not say otherwise.
    #[must_use]
    pub const fn with_wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = wait;
        self
    }
}

fn service_config(value: &Argument) -> Result<Arc<ServiceConfig>, Error> {
    let read = match value {
        Argument::Text(text) => ServiceConfig::read(text),
        Argument::Number(_) => Err(Fault::NoText),
    };
    read.map(Arc::new).map_err(|fault| Error::ServiceConfig {
        fault: fault.to_string(),
    })
}

/// The waits between tries to connect: each 1.6 times the one before, spread by a fifth ("Connection Backoff").
#[derive(Debug, Clone)]
pub(crate) struct Waits {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Waits {
    pub(crate) const fn new(args: &ChannelArgs) -> Self {
        Self {
            first: args.first_wait,
            longest: args.longest_wait,
            next: args.first_wait,
        }
    }

    /// How long after the begin of a try the next one may begin; `spread` from 0 to 1.
    pub(crate) fn next(&mut self, spread: f64) -> Duration {
        let step = self.next.min(self.longest);
        self.next = step.mul_f64(1.6).min(self.longest);
        step.mul_f64(0.8 + 0.4 * spread.clamp(0.0, 1.0))
    }

    pub(crate) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{ChannelArgs, Waits};

    #[test]
    fn waits_grow_by_three_fifths_up_to_the_longest_and_are_spread_by_one() {
        let mut waits = Waits::new(&ChannelArgs::new());
        let steps: Vec<_> = (0..12).map(|_| waits.next(0.5).as_millis()).collect();
        assert_eq!(&steps[..4], [1000, 1600, 2560, 4096]);
        assert_eq!(steps[11], 120_000);
        assert_eq!(waits.next(0.0), Duration::from_secs(96));
        assert_eq!(waits.next(1.0), Duration::from_secs(144));
        waits.reset();
        assert_eq!(waits.next(0.5), Duration::from_secs(1));
    }

    #[test]
    fn arguments_are_known_by_their_usual_names_and_nothing_else_is_taken() {
        let args = ChannelArgs::new()
            .with("grpc.default_compression_algorithm", 2)
            .and_then(|args| args.with("grpc.keepalive_time_ms", 10_000))
            .and_then(|args| args.with("grpc.max_receive_message_length", -1))
            .and_then(|args| args.with("grpc.primary_user_agent", "probe/1"))
            .unwrap();
        assert!(args.compress);
        assert_eq!(args.keepalive_time, Some(Duration::from_secs(10)));
        assert_eq!(args.most_received, u32::MAX);
        assert_eq!(args.user_agent, format!("probe/1 {}", super::AGENT));
        for (name, value) in [
            ("grpc.keepalive_time", 1),
            ("grpc.keepalive_time_ms", 0),
            ("grpc.default_compression_algorithm", 1),
            ("grpc.max_receive_message_length", -2),
            ("grpc.primary_user_agent", 1),
        ] {
            let error = ChannelArgs::new().with(name, value).unwrap_err();
            assert_eq!(error.kind(), model::ErrorKind::Invalid);
            assert!(error.to_string().contains(name), "{error}");
        }
        let error = ChannelArgs::new().with("grpc.unheard_of", 1).unwrap_err();
        assert!(
            error.to_string().contains("grpc.client_idle_timeout_ms"),
            "{error}"
        );
    }
}
