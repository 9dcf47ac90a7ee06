//! Cases of many large calls, each within its time.
//!
//! What it leaves to others: the numbers, which come from flags.

use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tasks::Clock;
use tokio::time::{sleep_until, timeout_at};

use super::{Settings, Stub, basic, payload, same};
use crate::Error;
use wire::grpc::testing::SimpleRequest;

/// The numbers of the soak cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soak {
    /// How many calls all threads together make.
    pub iterations: u32,
    /// How many may fail or be too slow.
    pub max_failures: u32,
    /// How long one may take.
    pub acceptable_latency: Duration,
    /// How long all may take. What has not ended by then is not waited for.
    pub overall: Duration,
    /// How far the beginnings of two calls are apart at the least.
    pub between: Duration,
    /// How many callers call at the same time.
    pub threads: u32,
    /// Bytes of a request.
    pub request_size: usize,
    /// Bytes of an answer.
    pub answer_size: i32,
}

impl Default for Soak {
    fn default() -> Self {
        Self {
            iterations: 10,
            max_failures: 0,
            acceptable_latency: Duration::from_secs(1),
            overall: Duration::from_secs(10),
            between: Duration::ZERO,
            threads: 1,
            request_size: basic::LARGE.0,
            answer_size: basic::LARGE.1,
        }
    }
}

pub(super) async fn over_one_channel(settings: &Settings) -> Result<(), Error> {
    let stub = settings.stub()?;
    many(settings, || Ok(stub.clone())).await
}

pub(super) async fn over_many_channels(settings: &Settings) -> Result<(), Error> {
    many(settings, || settings.stub()).await
}

/// What came of some calls.
#[derive(Default)]
struct Count {
    made: u32,
    failed: u32,
}

async fn many(settings: &Settings, stub: impl Fn() -> Result<Stub, Error>) -> Result<(), Error> {
    let soak = &settings.soak;
    let clock = Clock::system();
    let end = clock.monotonic() + soak.overall;
    let threads = soak.threads.max(1);
    let share = |thread| soak.iterations / threads + u32::from(thread < soak.iterations % threads);
    let callers = (0..threads).map(|thread| caller(soak, share(thread), &stub, &clock, end));
    let counts = try_join_all(callers).await?;
    let made: u32 = counts.iter().map(|count| count.made).sum();
    let failed: u32 = counts.iter().map(|count| count.failed).sum();
    same("calls made in time", soak.iterations, made)?;
    if failed > soak.max_failures {
        return Err(Error::Differs {
            what: "calls that failed or were too slow",
            wanted: format!("at most {}", soak.max_failures),
            found: failed.to_string(),
        });
    }
    Ok(())
}

async fn caller(
    soak: &Soak,
    share: u32,
    stub: &impl Fn() -> Result<Stub, Error>,
    clock: &Clock,
    end: Instant,
) -> Result<Count, Error> {
    let mut count = Count::default();
    while count.made < share {
        let begun = clock.monotonic();
        let request = SimpleRequest {
            response_size: soak.answer_size,
            payload: payload(soak.request_size),
            ..SimpleRequest::default()
        };
        let mut stub = stub()?;
        let answered = timeout_at(end.into(), basic::call(&mut stub, request)).await;
        let Ok(answered) = answered else { break };
        let took = clock.monotonic() - begun;
        count.made += 1;
        count.failed += u32::from(answered.is_err() || took > soak.acceptable_latency);
        if count.made < share
            && timeout_at(end.into(), sleep_until((begun + soak.between).into()))
                .await
                .is_err()
        {
            break;
        }
    }
    Ok(count)
}
