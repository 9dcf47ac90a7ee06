//! Tests of the life of a job.

use model::{Span, Timestamp};

use super::{Event, Standing, State};
use stage::{Cause, Exit};

fn exit(cause: Cause, code: Option<i32>) -> Exit {
    Exit {
        cause,
        reason: "why".to_owned(),
        code,
        cpu: Span::ZERO,
        peak_memory_bytes: 0,
        started_at: Timestamp::from_secs(1),
        ended_at: Timestamp::from_secs(2),
        ran: Span::from_secs(1),
    }
}

const PLACED: Standing = Standing {
    placed: true,
    ..Standing::NEW
};
const RUNNING: Standing = Standing {
    state: State::Running,
    ..PLACED
};

fn state_after(standing: Standing, event: Event<'_>) -> Option<State> {
    standing.after(event).map(|next| next.standing.state)
}

#[test]
fn a_job_goes_from_pending_by_a_node_to_running_to_its_end() {
    let placed = Standing::NEW
        .after(Event::Place)
        .expect("a node is chosen")
        .standing;
    assert_eq!(placed, PLACED);
    let running = placed
        .after(Event::Started(Timestamp::from_secs(1)))
        .expect("it starts")
        .standing;
    assert_eq!(running, RUNNING);
    assert_eq!(
        state_after(running, Event::Ended(&exit(Cause::Itself, Some(0)))),
        Some(State::Completed)
    );
}

#[test]
fn each_cause_has_its_end() {
    for (cause, code, state) in [
        (Cause::Itself, Some(0), State::Completed),
        (Cause::Itself, Some(3), State::Failed),
        (Cause::Itself, Some(137), State::Failed),
        (Cause::Itself, None, State::Failed),
        (Cause::Cancelled, Some(143), State::Cancelled),
        (Cause::TimeLimit, Some(143), State::TimedOut),
        (Cause::MemoryLimit, Some(137), State::OutOfMemory),
        (Cause::NotStarted, None, State::Failed),
        (Cause::Broken, None, State::Lost),
    ] {
        assert_eq!(
            state_after(RUNNING, Event::Ended(&exit(cause, code))),
            Some(state),
            "{cause:?}"
        );
    }
}

#[test]
fn nothing_happens_after_the_end() {
    let ended = exit(Cause::Itself, Some(0));
    for state in State::ALL.into_iter().filter(|state| state.has_ended()) {
        let standing = Standing { state, ..RUNNING };
        for event in [
            Event::Cancel,
            Event::Place,
            Event::Started(Timestamp::from_secs(1)),
            Event::Ended(&ended),
            Event::Lost,
        ] {
            assert_eq!(standing.after(event), None, "{state:?} {event:?}");
        }
    }
}

#[test]
fn a_waiting_job_is_cancelled_at_once_and_a_running_one_when_it_is_dead() {
    assert_eq!(state_after(Standing::NEW, Event::Cancel), Some(State::Cancelled));
    let wanted = RUNNING.after(Event::Cancel).expect("it is noted").standing;
    assert_eq!((wanted.state, wanted.cancel_wanted), (State::Running, true));
    assert_eq!(wanted.after(Event::Cancel), None);
    assert_eq!(
        state_after(wanted, Event::Ended(&exit(Cause::Cancelled, Some(137)))),
        Some(State::Cancelled)
    );
    assert_eq!(state_after(wanted, Event::Lost), Some(State::Cancelled));
}

#[test]
fn a_program_that_ended_before_the_cancel_reached_it_keeps_its_own_end() {
    let wanted = Standing {
        cancel_wanted: true,
        ..RUNNING
    };
    assert_eq!(
        state_after(wanted, Event::Ended(&exit(Cause::Itself, Some(0)))),
        Some(State::Completed)
    );
}

#[test]
fn a_job_that_no_node_was_told_of_cannot_be_lost_or_ended() {
    let ended = exit(Cause::Itself, Some(0));
    assert_eq!(Standing::NEW.after(Event::Lost), None);
    assert_eq!(Standing::NEW.after(Event::Ended(&ended)), None);
    assert_eq!(Standing::NEW.after(Event::Started(Timestamp::from_secs(1))), None);
}

#[test]
fn every_state_comes_back_from_its_word() {
    for state in State::ALL {
        assert_eq!(State::from_word(state.word()), Some(state));
    }
}
