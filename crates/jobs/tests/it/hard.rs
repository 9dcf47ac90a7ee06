//! Jobs that do not want to end, want too much, or hide (Q05): all of it is dead after the end, the host is
//! well, and the limits held.

use jobs::node::OnNode as _;
use stage::Cause;

use crate::machine::{BOTH, Machine, Mode, abilities, eventually, script};

/// Runs a script that would never end, cancels it when it has made `ready`, and looks for what is left.
async fn cancelled(mode: Mode, text: &str) {
    let machine = Machine::new(mode).await;
    let order = script(text);
    let id = order.id;
    machine.start(order).await;
    machine.running(id).await;
    let ready = machine.home().join("ready");
    eventually("the job is ready", || ready.exists()).await;
    machine.node.end(id).await.expect("the node ends it");
    let exit = machine.ended(id).await;
    assert_eq!(exit.cause, Cause::Cancelled, "{mode:?} {text}: {}", exit.reason);
    assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?} {text}");
}

#[tokio::test]
async fn q05_a_job_that_ignores_term_is_dead_after_cancel() {
    for mode in BOTH {
        cancelled(
            mode,
            "trap '' TERM INT HUP; touch ready; while :; do sleep 1; done",
        )
        .await;
    }
}

#[tokio::test]
async fn a_job_that_hears_term_may_end_in_order() {
    for mode in BOTH {
        let machine = Machine::with(mode, |config| config.grace = std::time::Duration::from_secs(20)).await;
        let order = script("trap 'echo bye; exit 7' TERM; touch ready; while :; do sleep 0.1; done");
        let id = machine.start(order).await;
        let ready = machine.home().join("ready");
        eventually("the job is ready", || ready.exists()).await;
        machine.node.end(id).await.expect("the node ends it");
        let exit = machine.ended(id).await;
        assert_eq!((exit.cause, exit.code), (Cause::Cancelled, Some(7)), "{mode:?}");
        assert_eq!(machine.read("out"), "bye\n");
    }
}

#[tokio::test]
async fn q05_processes_that_leave_by_setsid_and_two_forks_are_dead_after_cancel() {
    for mode in BOTH {
        cancelled(
            mode,
            "for i in 1 2 3; do (setsid sh -c 'trap \"\" TERM HUP; (sleep 600 & sleep 600) & sleep 600' \
                >/dev/null 2>&1 &) ; done; setsid setsid sleep 600 & touch ready; sleep 600",
        )
        .await;
    }
}

#[tokio::test]
async fn q05_processes_left_behind_end_with_their_job() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let order =
            script("(setsid sh -c 'trap \"\" TERM HUP; sleep 600; sleep 600' >/dev/null 2>&1 &); exit 5");
        let id = order.id;
        let exit = machine.run(order).await;
        assert_eq!((exit.cause, exit.code), (Cause::Itself, Some(5)), "{mode:?}");
        assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?}");
    }
}

#[tokio::test]
async fn q05_a_fork_bomb_is_bounded_and_dead_after_cancel() {
    for mode in BOTH {
        let machine = Machine::with(mode, |config| config.processes = 60).await;
        let order = script("touch ready; exec perl -e 'while (1) { fork }'");
        let id = machine.start(order).await;
        let ready = machine.home().join("ready");
        eventually("the job is ready", || ready.exists()).await;
        eventually("the bomb is there", || Machine::processes_of(id).len() > 5).await;
        // Under a shared uid the bound counts what else ran under it when the job began.
        let shared = mode == Mode::Reduced && !abilities().root;
        let most = if shared { 600 } else { 62 };
        assert!(Machine::processes_of(id).len() <= most, "{mode:?}");
        // The host is well: other work runs meanwhile.
        assert!(
            std::process::Command::new("true")
                .status()
                .expect("it runs")
                .success()
        );
        machine.node.end(id).await.expect("the node ends it");
        assert_eq!(machine.ended(id).await.cause, Cause::Cancelled, "{mode:?}");
        assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?}");
    }
}

#[tokio::test]
async fn q05_a_memory_hog_is_ended_as_out_of_memory() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        // `tail` keeps a line that never ends.
        let mut order = script("head -c 2000000000 /dev/zero | tail -n 1 | wc -c; sleep 1");
        order.memory_bytes = 64 << 20;
        let id = order.id;
        let exit = machine.run(order).await;
        assert_eq!(exit.cause, Cause::MemoryLimit, "{mode:?} {exit:?}");
        assert!(
            exit.peak_memory_bytes < 200 << 20,
            "{mode:?} {}",
            exit.peak_memory_bytes
        );
        assert_eq!(Machine::processes_of(id), Vec::<u32>::new(), "{mode:?}");
    }
}

#[tokio::test]
async fn q05_memory_spread_over_many_processes_counts_together() {
    for mode in BOTH {
        let machine = Machine::new(mode).await;
        let mut order = script(
            "for i in 1 2 3 4; do (head -c 30000000 /dev/zero | tail -n 1 | (sleep 600; wc -c)) & done; wait",
        );
        order.memory_bytes = 64 << 20;
        let exit = machine.run(order).await;
        assert_eq!(exit.cause, Cause::MemoryLimit, "{mode:?} {exit:?}");
    }
}

#[tokio::test]
async fn q05_stopped_processes_are_dead_after_cancel() {
    for mode in BOTH {
        cancelled(
            mode,
            "(sleep 600 & kill -STOP $!; touch ready; kill -STOP $$) ; sleep 600",
        )
        .await;
    }
}
