//! The point in time at which a call ends, as its caller asked for.
//!
//! What it leaves to others: ending the call (`calls`, `body`). The header's form is that of the gRPC
//! protocol over HTTP/2 ("Timeout"): one to eight digits and a unit.

use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use tasks::Clock;

use crate::Call;

/// The header that carries the time a caller allows.
const HEADER: HeaderName = HeaderName::from_static("grpc-timeout");

/// Tells a handler when its call ends. Found among a request's extensions where the caller set a deadline.
#[derive(Debug, Clone)]
pub struct Deadline {
    at: Instant,
    clock: Clock,
}

/// What a call that goes out may take, besides what its headers say.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed {
    /// It ends here at the latest.
    pub(crate) until: Option<Instant>,
    /// It takes this long at the most.
    pub(crate) longest: Option<Duration>,
    /// It takes this long where it says nothing of its own.
    pub(crate) usual: Option<Duration>,
}

impl Deadline {
    /// Reads the header of a call that arrives now; `None` without one or with one beyond all clocks.
    ///
    /// The error is what is wrong with the header.
    pub(crate) fn of(headers: &HeaderMap, clock: &Clock) -> Result<Option<Self>, &'static str> {
        let Some(value) = headers.get(HEADER) else {
            return Ok(None);
        };
        let allowed = value.to_str().ok().and_then(timeout);
        let allowed =
            allowed.ok_or("grpc-timeout is not one to eight digits and a unit (H, M, S, m, u or n)")?;
        let at = clock.monotonic().checked_add(allowed);
        Ok(at.map(|at| Self {
            at,
            clock: clock.clone(),
        }))
    }

    /// The deadline of the call in whose handler, or in whose stream of answers, this runs.
    #[must_use]
    pub fn current() -> Option<Self> {
        Call::current().and_then(|call| call.deadline().cloned())
    }

    /// The deadline of a call that goes out now: the earliest of what its headers say, what is `allowed`, and the end of
    /// the call inside whose handler it is made. A malformed header stays, for the server to refuse.
    pub(crate) fn of_outgoing(headers: &mut HeaderMap, clock: &Clock, allowed: Allowed) -> Option<Self> {
        let said = Self::of(headers, clock).ok()?;
        let at = |at| Self {
            at,
            clock: clock.clone(),
        };
        let after = |length: Option<Duration>| clock.monotonic().checked_add(length?).map(at);
        let own = [said, allowed.until.map(at), after(allowed.longest)];
        let own = own.into_iter().flatten().min_by_key(Self::at);
        let own = own.or_else(|| after(allowed.usual));
        let both = [own, Self::current()];
        let earliest = both.into_iter().flatten().min_by_key(Self::at);
        if let Some(deadline) = &earliest {
            deadline.tell(headers);
        }
        earliest
    }

    /// Has the headers say how much is left now.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(HEADER, header_value(self.time_remaining()));
    }

    /// The instant itself.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// How much time is left; zero once it has passed.
    #[must_use]
    pub fn time_remaining(&self) -> Duration {
        self.at.saturating_duration_since(self.clock.monotonic())
    }

    /// Tells whether it has passed.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.time_remaining().is_zero()
    }
}

/// A request that may take this long: its caller gives it up then, and its server is told of it.
///
/// A channel that has less time to give, or a call inside whose handler this one is made, ends it sooner.
#[must_use]
pub fn within<T>(message: T, longest: Duration) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    request.set_timeout(longest);
    request
}

/// A length of time as the header says it: as exact as eight digits are.
pub(crate) fn header_value(left: Duration) -> HeaderValue {
    let units = [
        ("n", left.as_nanos()),
        ("u", left.as_micros()),
        ("m", left.as_millis()),
    ];
    let fits = units.into_iter().find(|(_, count)| *count < 100_000_000);
    let (unit, count) = fits.unwrap_or(("S", u128::from(left.as_secs().min(99_999_999))));
    let text = format!("{count}{unit}");
    HeaderValue::from_str(&text).expect("digits and a letter are a header's value")
}

pub(crate) fn timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{header_value, timeout};

    #[test]
    fn what_is_left_is_said_in_at_most_eight_digits_and_never_too_long() {
        for (left, text) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_millis(100), "100000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::MAX, "99999999S"),
        ] {
            let said = header_value(left);
            assert_eq!(said, text);
            assert!(timeout(said.to_str().unwrap()).unwrap() <= left, "{text}");
        }
    }

    #[test]
    fn every_unit_is_read() {
        for (text, wanted) in [
            ("2H", Duration::from_secs(7200)),
            ("2M", Duration::from_secs(120)),
            ("2S", Duration::from_secs(2)),
            ("99999999m", Duration::from_millis(99_999_999)),
            ("0u", Duration::ZERO),
            ("00000001n", Duration::from_nanos(1)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(timeout(text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn anything_else_is_no_timeout() {
        for text in [
            "",
            "S",
            "1",
            "1s",
            "123456789m",
            "-1S",
            "+1S",
            "1 S",
            " 1S",
            "1.5S",
            "0x1S",
            "1é",
        ] {
            assert_eq!(timeout(text), None, "{text}");
        }
    }
}
