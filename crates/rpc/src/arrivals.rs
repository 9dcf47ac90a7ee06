//! Begins the calls of an HTTP/2 connection where they are read.
//!
//! Most calls need one step: all of the request is there, nothing has to be waited for, and the answer is made at once. A
//! task for each costs more than that step, because the threads of the runtime wake each other for it and wait for each
//! other at the connection. So what a reading of a connection brings is begun in turn, right after it, what it answers
//! leaves together, and a call that has to wait goes on in a task of its own (docs/decisions/0031). What it leaves to
//! others: HTTP/2 itself, and the end of what nobody takes (`overdue`).
//!
//! Invariants: a call that has to wait keeps no other one waiting; where calls do not wait and still take long, or are
//! too many, those behind them begin in tasks; a connection that always brings more lets others have the thread after
//! [`TURN`]; a panic in one call ends that call alone.

use std::{
    cell::RefCell,
    collections::VecDeque,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures::{
    FutureExt as _,
    future::{BoxFuture, Map},
};
use tasks::{Clock, Crew, Tasks};

use crate::overdue::{self, Drive};

/// How many calls are begun before what they answered is sent and more is read. Few, so that a peer with many calls at a
/// time works while we do; not fewer, because each sending costs about as much as a call.
const TOGETHER: usize = 16;

/// The most calls that wait for their turn, as many as a peer has open at a time. There are more only where it resets
/// those that wait, and one reading may bring thousands of these; they begin in tasks.
const MOST: usize = 256;

/// How long [`TOGETHER`] calls may take to begin, and how long a connection keeps its thread.
const TURN: Duration = Duration::from_micros(500);

tokio::task_local! {
    /// The calls that the reading which goes on brings.
    static ARRIVED: RefCell<VecDeque<Work>>;
}

/// The work of one call, cut where nobody takes what it says.
type Work = Map<Drive<BoxFuture<'static, ()>>, fn(Option<()>)>;

/// Starts the calls of the HTTP/2 connections of a listener, and ends those that are over.
#[derive(Debug, Clone)]
pub(crate) struct Driver {
    crew: Crew,
    grace: Duration,
    clock: Clock,
}

impl Driver {
    /// With these owners of its tasks. A call whose last words nobody takes is cut after `grace`.
    pub(crate) fn new(tasks: &Tasks, grace: Duration) -> Self {
        Self {
            crew: tasks.crew("call"),
            grace,
            clock: Clock::system(),
        }
    }
}

impl<F> hyper::rt::Executor<F> for Driver
where
    F: Future + Send + 'static,
{
    /// Has a call begun at the end of the reading that brought it; outside of one, or where too many wait, in a task.
    fn execute(&self, work: F) {
        let work = overdue::drive(work.map(drop).boxed(), self.grace);
        let mut work = Some(work.map(tell as fn(Option<()>)));
        let _outside = ARRIVED.try_with(|arrived| {
            let mut arrived = arrived.borrow_mut();
            if arrived.len() < MOST {
                arrived.extend(work.take());
            }
        });
        if let Some(work) = work {
            self.crew.spawn(work);
        }
    }
}

/// Tells of a call that was cut.
fn tell(ended: Option<()>) {
    if ended.is_none() {
        tracing::debug!("a call past its deadline was cut: its caller takes nothing");
    }
}

/// A connection, and the calls that it has brought and that have not begun.
pub(crate) struct Reading<'a, C> {
    connection: C,
    driver: &'a Driver,
    arrived: VecDeque<Work>,
}

impl<'a, C: Future + Unpin> Reading<'a, C> {
    pub(crate) const fn new(connection: C, driver: &'a Driver) -> Self {
        let arrived = VecDeque::new();
        Self {
            connection,
            driver,
            arrived,
        }
    }

    /// What is read. The calls that it has brought stay, so it may be told to end without harm to them.
    pub(crate) const fn connection(&mut self) -> &mut C {
        &mut self.connection
    }

    /// Reads what is there, and sends what there is to send.
    fn poll_connection(&mut self, cx: &mut Context<'_>) -> Poll<C::Output> {
        let (polled, arrived) = ARRIVED.sync_scope(RefCell::new(mem::take(&mut self.arrived)), || {
            let polled = Pin::new(&mut self.connection).poll(cx);
            (polled, ARRIVED.with(RefCell::take))
        });
        self.arrived = arrived;
        polled
    }

    /// Begins the calls that are first. Where that has taken long since `began`, all others begin in tasks. Tells the time.
    fn begin(&mut self, began: Instant) -> Instant {
        let first = self.arrived.len().min(TOGETHER);
        for work in self.arrived.drain(..first) {
            self.driver.crew.begin(work);
        }
        let now = self.driver.clock.monotonic();
        if now.duration_since(began) >= TURN {
            self.begin_in_tasks();
        }
        now
    }

    fn begin_in_tasks(&mut self) {
        for work in self.arrived.drain(..) {
            self.driver.crew.spawn(work);
        }
    }
}

impl<C: Future + Unpin> Future for Reading<'_, C> {
    type Output = C::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<C::Output> {
        let reading = &mut *self;
        let mut times: Option<(Instant, Instant)> = None;
        loop {
            let polled = reading.poll_connection(cx);
            if polled.is_ready() {
                reading.begin_in_tasks();
            }
            if reading.arrived.is_empty() {
                return polled;
            }
            let (turn_began, now) = times.unwrap_or_else(|| {
                let now = reading.driver.clock.monotonic();
                (now, now)
            });
            let now = reading.begin(now);
            if now.duration_since(turn_began) >= TURN {
                // There may be more to send, to read or to begin.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            times = Some((turn_began, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        mem,
        sync::{
            Arc,
            atomic::{AtomicU64, Ordering},
        },
        task::{Poll, ready},
        time::Duration,
    };

    use futures::{FutureExt as _, future::poll_fn};
    use hyper::rt::Executor as _;
    use tasks::{Clock, Tasks};
    use tokio::{sync::mpsc, task, time::timeout};

    use super::{Driver, MOST, Reading, TOGETHER, TURN};

    const SOON: Duration = Duration::from_secs(5);

    /// A connection that brings these calls with its first reading and ends once `calls` of them have told of themselves;
    /// gives what they told, in order. What reads it is no task.
    async fn read(bring: impl FnOnce(&Driver, &Teller), calls: usize) -> Vec<(usize, Option<task::Id>)> {
        let tasks = Tasks::new();
        let driver = Driver::new(&tasks, SOON);
        let (teller, mut told) = mpsc::unbounded_channel();
        let (mut bring, mut seen) = (Some(bring), Vec::new());
        let connection = poll_fn(|cx| {
            if let Some(bring) = bring.take() {
                bring(&driver, &Teller(teller.clone()));
            }
            while seen.len() < calls {
                seen.push(ready!(told.poll_recv(cx)).expect("the teller is here"));
            }
            Poll::Ready(mem::take(&mut seen))
        });
        timeout(SOON, Reading::new(connection, &driver))
            .await
            .expect("in time")
    }

    struct Teller(mpsc::UnboundedSender<(usize, Option<task::Id>)>);

    impl Teller {
        /// A call that tells in which task it ends, after `wait`.
        fn call(&self, number: usize, wait: impl Future + Send + 'static) -> impl Future + Send + 'static {
            let told = self.0.clone();
            wait.map(move |_| told.send((number, task::try_id())).expect("somebody listens"))
        }
    }

    #[tokio::test]
    async fn calls_that_wait_for_nothing_are_answered_in_order_in_the_task_of_their_connection() {
        let many = 3 * TOGETHER + 1;
        let bring = move |driver: &Driver, teller: &Teller| {
            for number in 0..many {
                driver.execute(teller.call(number, async {}));
            }
        };
        let in_turn: Vec<_> = (0..many).map(|number| (number, None)).collect();
        // Where the machine is busy elsewhere, sixteen may take long once in a while.
        for _ in 0..20 {
            if read(bring, many).await == in_turn {
                return;
            }
        }
        assert_eq!(read(bring, many).await, in_turn);
    }

    #[tokio::test]
    async fn a_call_that_waits_goes_on_in_a_task_of_its_own_and_keeps_nobody_waiting() {
        let bring = |driver: &Driver, teller: &Teller| {
            let (go, gone) = tokio::sync::oneshot::channel();
            driver.execute(teller.call(0, gone));
            driver.execute(teller.call(1, async { go.send(()) }));
        };
        let [first, (number, in_task)] = read(bring, 2).await[..] else {
            panic!("two calls")
        };
        assert_eq!((first, number), ((1, None), 0));
        assert!(in_task.is_some());
    }

    #[tokio::test]
    async fn behind_calls_that_take_long_the_others_begin_in_tasks() {
        let many = 2 * TOGETHER;
        let bring = move |driver: &Driver, teller: &Teller| {
            let clock = Clock::system();
            driver.execute(teller.call(0, async move {
                let began = clock.monotonic();
                while clock.monotonic().duration_since(began) < TURN {}
            }));
            for number in 1..many {
                driver.execute(teller.call(number, async {}));
            }
        };
        for (number, in_task) in read(bring, many).await {
            assert_eq!(in_task.is_none(), number < TOGETHER, "call {number}");
        }
    }

    #[tokio::test]
    async fn no_more_calls_wait_for_their_turn_than_a_peer_may_have_open() {
        let many = MOST + TOGETHER + 1;
        let bring = move |driver: &Driver, teller: &Teller| {
            for number in 0..many {
                driver.execute(teller.call(number, async {}));
            }
        };
        for (number, in_task) in read(bring, many).await {
            assert!(in_task.is_some() || number < MOST, "call {number}");
        }
    }

    #[tokio::test]
    async fn a_panic_ends_its_own_call_alone() {
        let bring = |driver: &Driver, teller: &Teller| {
            driver.execute(async { panic!("as planned by this test") });
            driver.execute(teller.call(1, async {}));
        };
        assert_eq!(read(bring, 1).await, [(1, None)]);
    }

    #[tokio::test]
    async fn a_connection_that_always_brings_more_lets_others_have_the_thread() {
        let tasks = Tasks::new();
        let driver = Driver::new(&tasks, SOON);
        let begun = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&begun);
        let bringing = driver.clone();
        let endless = poll_fn(move |_cx| {
            let counted = Arc::clone(&counted);
            bringing.execute(async move { counted.fetch_add(1, Ordering::Relaxed) });
            Poll::<()>::Pending
        });
        let mut reading = Reading::new(endless, &driver);
        let others = async {
            for _ in 0..3 {
                task::yield_now().await;
            }
        };
        // One thread serves both here; whoever does not let go of it keeps the other one for ever.
        tokio::select! {
            biased;
            () = &mut reading => unreachable!("it is endless"),
            () = others => {}
        }
        assert!(begun.load(Ordering::Relaxed) > 0);
    }
}
