//! One program for each machine: two that dial with the same keys, from a data folder that was copied, are told apart
//! by the number of their dial, and the second is fenced off.
//!
//! A program that starts anew may come before the connections of the one before are seen to end; it is refused then and
//! dials again. Only one that is still refused after a while is a second machine, and that is an alarm. What it leaves
//! to others: showing the alarm.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use model::NodeId;
use tasks::Clock;

/// How long a program may be refused before it is a second machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long an alarm stands after the last time that the second machine dialled.
const ALARM: Duration = Duration::from_secs(120);
/// The most machines that are fenced at once; a machine of the zone can make no more than this of itself.
const MOST: usize = 1024;

/// Which program of each machine has links. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    clock: Clock,
    patience: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    present: BTreeMap<NodeId, Present>,
    fenced: BTreeMap<(NodeId, String), Fenced>,
}

#[derive(Debug)]
struct Present {
    run: String,
    address: SocketAddr,
    connections: usize,
}

/// A program that was refused because another one was there.
#[derive(Debug)]
struct Fenced {
    name: String,
    first: SocketAddr,
    second: SocketAddr,
    since: Instant,
    last: Instant,
    told: bool,
}

/// A connection of the program that is there; its place is given back when dropped.
pub(crate) struct Held {
    runs: Runs,
    node: NodeId,
}

impl Runs {
    /// A program that is refused for longer than `patience` is a second machine.
    pub(crate) fn new(clock: Clock, patience: Duration) -> Self {
        Self {
            clock,
            patience,
            state: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in, where its program is the one that is there, or none is.
    pub(crate) fn enter(&self, node: NodeId, name: &str, run: &str, address: SocketAddr) -> Option<Held> {
        let now = self.clock.monotonic();
        let mut state = self.state();
        let State { present, fenced } = &mut *state;
        let there = present.entry(node).or_insert_with(|| Present {
            run: run.to_owned(),
            address,
            connections: 0,
        });
        if there.run == run {
            there.connections += 1;
            fenced.remove(&(node, run.to_owned()));
            let runs = self.clone();
            return Some(Held { runs, node });
        }
        fenced.retain(|_, one| now.saturating_duration_since(one.last) < ALARM);
        if fenced.len() < MOST {
            let one = fenced.entry((node, run.to_owned())).or_insert_with(|| Fenced {
                name: name.to_owned(),
                first: there.address,
                second: address,
                since: now,
                last: now,
                told: false,
            });
            (one.first, one.second, one.last) = (there.address, address, now);
            if one.is_alarm(self.patience) && !one.told {
                one.told = true;
                tracing::error!("{}", one.text());
            }
        }
        None
    }

    /// Every machine that is two, in words.
    pub(crate) fn alarms(&self) -> Vec<String> {
        let now = self.clock.monotonic();
        let state = self.state();
        let standing = state
            .fenced
            .values()
            .filter(|one| one.is_alarm(self.patience) && now.saturating_duration_since(one.last) < ALARM);
        standing.map(Fenced::text).collect()
    }
}

impl Fenced {
    fn is_alarm(&self, patience: Duration) -> bool {
        self.last.saturating_duration_since(self.since) >= patience
    }

    fn text(&self) -> String {
        format!(
            "node {} is two machines with the same keys: the one at {} works, the one at {} is fenced off; \
             remove the data folder of one and let it join anew",
            self.name, self.first, self.second
        )
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.runs.state();
        if let Some(there) = state.present.get_mut(&self.node) {
            there.connections -= 1;
            if there.connections == 0 {
                state.present.remove(&self.node);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::SocketAddr, time::Duration};

    use model::{NodeId, Timestamp};
    use tasks::Clock;

    use super::{PATIENCE, Runs};

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], port))
    }

    #[test]
    fn j10_the_second_program_with_the_same_keys_is_fenced_until_the_first_is_gone() {
        let runs = Runs::new(Clock::system(), Duration::ZERO);
        let node = NodeId::fresh(Timestamp::from_secs(1));
        let enter = |run: &str, port| runs.enter(node, "far", run, at(port));
        let (one, two) = (enter("a", 1), enter("a", 2));
        assert!(
            one.is_some() && two.is_some(),
            "several connections of one program"
        );
        assert!(enter("b", 3).is_none() && enter("b", 4).is_none());
        let alarms = runs.alarms();
        let [alarm] = alarms.as_slice() else {
            panic!("one alarm: {alarms:?}");
        };
        assert!(
            alarm.contains("far") && alarm.contains(&at(1).to_string()) && alarm.contains(&at(4).to_string())
        );
        drop(one);
        assert!(enter("b", 5).is_none(), "the other connection stands");
        drop(two);
        assert!(enter("b", 6).is_some());
        assert!(runs.alarms().is_empty());
    }

    #[test]
    fn j10_a_program_that_comes_back_a_moment_later_is_no_alarm() {
        let runs = Runs::new(Clock::system(), PATIENCE);
        let node = NodeId::fresh(Timestamp::from_secs(1));
        let before = runs.enter(node, "far", "a", at(1));
        assert!(runs.enter(node, "far", "b", at(2)).is_none());
        assert!(runs.alarms().is_empty());
        drop(before);
        assert!(runs.enter(node, "far", "b", at(3)).is_some());
    }
}
