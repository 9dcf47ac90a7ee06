//! Whether and when a call that failed is made again.
//!
//! What it leaves to others: making it (`exchange`), and what it sends again (`kept`). Rules are those of gRPC's document
//! "A6: client retries".

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Code;

use super::service_config::{Policy, Throttling};

/// The header in which a server says when, and whether, it wants the call again.
const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
/// The header that says how often a call was made before.
const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

/// What a call that fails costs, in thousandths of a token.
const TOKEN: u32 = 1000;

/// Counts how calls to a server go. While too many fail, none is made again.
#[derive(Debug)]
pub(super) struct Throttle {
    settings: Throttling,
    tokens: AtomicU32,
}

impl Throttle {
    pub(super) const fn new(settings: Throttling) -> Self {
        Self {
            settings,
            tokens: AtomicU32::new(settings.most_tokens),
        }
    }

    /// Notes how a call ended that cannot be made again any more. What goes well counts of every method; only a policy
    /// says which failures do.
    pub(super) fn settle(&self, policy: Option<&Policy>, code: Code) {
        if code == Code::Ok {
            self.went_well();
        } else if policy.is_some_and(|policy| policy.covers(code)) {
            self.failed();
        }
    }

    fn went_well(&self) {
        let Throttling { most_tokens, ratio } = self.settings;
        self.change(|tokens| tokens.saturating_add(ratio).min(most_tokens));
    }

    /// Notes one that failed; tells whether it may be made again.
    fn failed(&self) -> bool {
        self.change(|tokens| tokens.saturating_sub(TOKEN)) > self.settings.most_tokens / 2
    }

    fn change(&self, change: impl Fn(u32) -> u32) -> u32 {
        let changed = self
            .tokens
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |tokens| {
                Some(change(tokens))
            });
        changed.map_or(0, change)
    }
}

/// What a server says of making a call again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushback {
    Nothing,
    After(Duration),
    Never,
}

impl Pushback {
    fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(PUSHBACK) else {
            return Self::Nothing;
        };
        let millis = value.to_str().ok().and_then(|text| text.parse::<u32>().ok());
        millis.map_or(Self::Never, |count| {
            Self::After(Duration::from_millis(count.into()))
        })
    }
}

/// The tries of one call.
#[derive(Debug)]
pub(super) struct Turns<'a> {
    policy: Option<&'a Policy>,
    throttle: Option<&'a Throttle>,
    made: u32,
    wait: Duration,
    unseen: bool,
}

impl<'a> Turns<'a> {
    pub(super) fn new(policy: Option<&'a Policy>, throttle: Option<&'a Throttle>) -> Self {
        Self {
            policy,
            throttle,
            made: 1,
            wait: policy.map_or(Duration::ZERO, |policy| policy.first_wait),
            unseen: false,
        }
    }

    /// Says on a try how many were made before it.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        if self.made > 1 {
            headers.insert(PREVIOUS, HeaderValue::from(self.made - 1));
        }
    }

    /// Tells whether a call that no handler can have seen is made again, at once: it is, once.
    pub(super) fn after_unseen(&mut self) -> bool {
        !std::mem::replace(&mut self.unseen, true)
    }

    /// How long to wait after a try that failed, and before the next one; nothing when there is none. `headers` are those
    /// of the answer, where there was one; `spread` is from 0 to 1.
    pub(super) fn after(&mut self, code: Code, headers: &HeaderMap, spread: f64) -> Option<Duration> {
        let policy = self.policy?;
        let pushback = Pushback::of(headers);
        let covered = policy.covers(code);
        if !covered && pushback != Pushback::Never {
            return None;
        }
        let allowed = self.throttle.is_none_or(Throttle::failed);
        if !covered || !allowed || self.made >= policy.attempts {
            return None;
        }
        self.made += 1;
        match pushback {
            Pushback::Never => None,
            Pushback::After(wait) => {
                self.wait = policy.first_wait;
                Some(wait)
            }
            Pushback::Nothing => {
                let step = self.wait.min(policy.longest_wait);
                self.wait = step.mul_f64(f64::from(policy.growth) / 1000.0);
                Some(step.mul_f64(0.8 + 0.4 * spread.clamp(0.0, 1.0)))
            }
        }
    }
}

#[cfg(test)]
mod tests;
