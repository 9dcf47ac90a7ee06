//! How services stand, whatever happens: every step from one standing to the next.

use std::sync::Arc;

use model::{NodeId, RunId, Span, Timestamp};
use stage::{Cause, Exit};

use super::{Restart, Run, Standing, State, Step, WORDS, Wanted};
use crate::node::Observed;

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

const RESTART: Restart = Restart {
    first: Span::from_secs(1),
    longest: Span::from_secs(60),
    steady: Span::from_secs(60),
};

fn exit(cause: Cause, ran: Span) -> Observed {
    Observed::Ended(Arc::new(Exit {
        cause,
        reason: String::new(),
        code: Some(3),
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        started_at: NOW,
        ended_at: NOW,
        ran,
    }))
}

fn running(silent: Option<&str>) -> Observed {
    Observed::Running {
        started_at: NOW,
        port: 8000,
        silent: silent.map(str::to_owned),
    }
}

fn placed() -> Standing {
    let mut standing = Standing::new();
    standing.node = Some(NodeId::fresh(NOW));
    standing
}

fn meet(standing: &Standing, observed: Option<&Observed>, at: Timestamp) -> (Standing, Step) {
    standing.meet(observed, RESTART, at, RunId::fresh(at))
}

/// Started, and told of by its node.
fn begun() -> (Standing, Run) {
    let (standing, _) = meet(&placed(), None, NOW);
    let (standing, _) = meet(&standing, Some(&Observed::Starting), NOW);
    let run = standing.run.expect("it runs");
    (standing, run)
}

#[test]
fn every_state_comes_back_from_its_word() {
    for (state, word) in WORDS {
        assert_eq!((State::from_word(word), state.word()), (Some(state), word));
    }
    assert_eq!(State::from_word("asleep"), None);
}

#[test]
fn a_run_is_written_down_before_it_is_started_and_started_again_until_the_node_tells_of_it() {
    assert_eq!(
        meet(&Standing::new(), None, NOW).1,
        Step::Nothing,
        "it has no node yet"
    );
    let (standing, step) = meet(&placed(), None, NOW);
    let run = standing.run.expect("a run begins");
    assert_eq!((step, standing.starts), (Step::Start(run.id), 1));
    let (again, step) = meet(&standing, None, NOW);
    assert_eq!((&again, step), (&standing, Step::Start(run.id)));
    let (seen, step) = meet(&standing, Some(&Observed::Starting), NOW);
    assert_eq!((seen.run.map(|run| run.seen), step), (Some(true), Step::Nothing));
}

#[test]
fn it_is_ready_when_it_answers_and_unready_only_after_it_was() {
    let (standing, _) = begun();
    let (silent, _) = meet(&standing, Some(&running(Some("nobody listens"))), NOW);
    assert_eq!(
        (silent.state, silent.reason.as_str()),
        (State::Starting, "nobody listens")
    );
    let (ready, _) = meet(&silent, Some(&running(None)), NOW);
    assert_eq!((ready.state, ready.port), (State::Ready, Some(8000)));
    let (unready, _) = meet(&ready, Some(&running(Some("it hangs"))), NOW);
    assert_eq!(
        (unready.state, unready.reason.as_str()),
        (State::Unready, "it hangs")
    );
    let (still, _) = meet(&unready, Some(&running(Some("it hangs"))), NOW);
    assert_eq!(still, unready);
}

#[test]
fn waits_double_up_to_the_longest_and_begin_anew_after_a_steady_run() {
    let mut standing = begun().0;
    let mut waits = Vec::new();
    let mut at = NOW;
    for _ in 0..8 {
        let (waiting, step) = meet(&standing, Some(&exit(Cause::Itself, Span::ZERO)), at);
        assert!(matches!(step, Step::Forget(_)));
        assert_eq!((waiting.state, waiting.exit_code), (State::Restarting, Some(3)));
        let next = waiting.next_start_at.expect("a next start");
        waits.push((next - at).secs());
        assert_eq!(meet(&waiting, None, at).1, Step::Nothing, "not before its time");
        at = next;
        let (started, step) = meet(&waiting, None, at);
        assert!(matches!(step, Step::Start(_)));
        standing = meet(&started, Some(&running(None)), at).0;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
    let (waiting, _) = meet(&standing, Some(&exit(Cause::Itself, Span::from_secs(60))), at);
    assert_eq!(waiting.next_start_at.map(|next| (next - at).secs()), Some(1));
}

#[test]
fn what_is_lost_is_started_again_and_what_cannot_start_is_not() {
    let (standing, run) = begun();
    for (observed, forgotten) in [(Some(Observed::Lost), true), (None, false)] {
        let (lost, step) = meet(&standing, observed.as_ref(), NOW);
        assert_eq!(lost.state, State::Restarting);
        assert_eq!(step == Step::Forget(run.id), forgotten);
    }
    let (failed, _) = meet(&standing, Some(&exit(Cause::NotStarted, Span::ZERO)), NOW);
    assert_eq!((failed.state, failed.next_start_at), (State::Failed, None));
    assert_eq!(meet(&failed, None, NOW).1, Step::Nothing);
    let mut again = failed;
    again.deploy_again();
    assert_eq!(
        (again.state, again.generation, again.node),
        (State::Pending, 2, None)
    );
}

#[test]
fn a_stop_ends_the_process_and_is_over_when_that_has_ended() {
    let mut standing = Standing::new();
    standing.stop(NOW);
    assert_eq!((standing.state, standing.stopped_at), (State::Stopped, Some(NOW)));

    let (mut standing, run) = begun();
    standing.stop(NOW);
    assert_eq!(standing.state, State::Stopping);
    for observed in [Observed::Starting, running(None)] {
        let (next, step) = meet(&standing, Some(&observed), NOW);
        assert_eq!(
            (next.state, next.port, step),
            (State::Stopping, None, Step::End(run.id))
        );
    }
    let (stopped, step) = meet(&standing, Some(&exit(Cause::Cancelled, Span::ZERO)), NOW);
    assert_eq!((stopped.state, step), (State::Stopped, Step::Forget(run.id)));
    // A run that its node never told of is not there.
    let (mut unseen, _) = meet(&placed(), None, NOW);
    unseen.stop(NOW);
    assert_eq!(meet(&unseen, None, NOW).0.state, State::Stopped);
}

#[test]
fn a_new_deployment_waits_for_the_end_of_the_one_before_and_is_placed_anew() {
    let (mut standing, run) = begun();
    standing.deploy_again();
    assert_eq!((standing.state, standing.wanted), (State::Starting, Wanted::Run));
    assert_eq!(meet(&standing, Some(&running(None)), NOW).1, Step::End(run.id));
    let (next, _) = meet(&standing, Some(&exit(Cause::Cancelled, Span::ZERO)), NOW);
    assert_eq!((next.state, next.node, next.run), (State::Pending, None, None));
    assert_eq!((next.failures, next.next_start_at), (0, None));
}

#[test]
fn a_stop_taken_back_by_a_deployment_runs_again() {
    let (mut standing, _) = begun();
    standing.stop(NOW);
    standing.deploy_again();
    let (next, _) = meet(&standing, Some(&exit(Cause::Cancelled, Span::ZERO)), NOW);
    assert_eq!((next.state, next.wanted), (State::Pending, Wanted::Run));
}

#[test]
fn a_node_that_left_gives_its_services_back() {
    let (standing, _) = begun();
    let mut free = standing.clone();
    free.node_is_gone(true, NOW);
    assert_eq!((free.state, free.node, free.run), (State::Pending, None, None));
    let mut bound = standing.clone();
    bound.node_is_gone(false, NOW);
    assert_eq!(bound.state, State::Failed);
    let mut stopping = standing;
    stopping.stop(NOW);
    stopping.node_is_gone(true, NOW);
    assert_eq!(stopping.state, State::Stopped);
}
