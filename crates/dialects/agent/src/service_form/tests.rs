//! Orders and reports come back from their messages; what is no order is refused by field.

use confine::Account;
use model::{RunId, ServiceId, Span, Timestamp};
use services::node::{Observed, Order, Report};
use stage::{Cause, Exit, Work};
use wire::soke::agent::v1;

use super::{decode_order, decode_report, encode_order, encode_report};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);

fn order(work: Work, port: Option<u16>, health_path: Option<&str>) -> Order {
    Order {
        run: RunId::fresh(NOW),
        service: ServiceId::fresh(NOW),
        name: "web".to_owned(),
        account: Account {
            name: "ada".to_owned(),
            number: 7,
            unix_name: None,
            owner: false,
        },
        work,
        port,
        environment: [("KEY".to_owned(), "value".to_owned())].into(),
        working_directory: "site".to_owned(),
        log_path: "services/web.log".to_owned(),
        health_path: health_path.map(str::to_owned),
        memory_bytes: 1 << 30,
    }
}

#[test]
fn an_order_comes_back_from_its_message() {
    let words = Work::Arguments(vec!["sleep".to_owned(), "1".to_owned()]);
    for given in [
        order(Work::Script("sleep 1".to_owned()), None, None),
        order(words, Some(65_535), Some("/healthz")),
    ] {
        let read = decode_order(encode_order(given.clone()));
        assert!(read.is_ok_and(|read| read == given));
    }
}

#[test]
fn what_is_no_order_is_refused() {
    let good = encode_order(order(Work::Script("a".to_owned()), None, None));
    let bad = |change: fn(&mut v1::StartRunRequest)| {
        let mut message = good.clone();
        change(&mut message);
        decode_order(message)
            .expect_err("it is refused")
            .message()
            .to_owned()
    };
    for (said, field) in [
        (bad(|message| message.run_id.clear()), "run_id"),
        (bad(|message| message.service_id = "web".to_owned()), "service_id"),
        (bad(|message| message.account = None), "account"),
        (bad(|message| message.script.clear()), "arguments"),
        (bad(|message| message.arguments.push("a".to_owned())), "arguments"),
        (bad(|message| message.port = 65_536), "port"),
        (
            bad(|message| message.log_path = "/etc/log".to_owned()),
            "log_path",
        ),
        (
            bad(|message| message.log_path = "a/../../log".to_owned()),
            "log_path",
        ),
        (bad(|message| message.log_path.clear()), "log_path"),
    ] {
        assert!(said.contains(field), "{field}: {said}");
    }
}

#[test]
fn a_report_comes_back_from_its_message() {
    let exit = Exit {
        cause: Cause::MemoryLimit,
        reason: "much".to_owned(),
        code: Some(137),
        cpu: Span::from_secs(1),
        peak_memory_bytes: 7,
        started_at: NOW,
        ended_at: NOW,
        ran: Span::from_secs(2),
    };
    let running = |silent: Option<&str>| Observed::Running {
        started_at: NOW,
        port: 8000,
        silent: silent.map(str::to_owned),
    };
    for observed in [
        Observed::Starting,
        running(None),
        running(Some("nobody listens")),
        Observed::Ended(exit.into()),
        Observed::Lost,
    ] {
        let report = Report {
            run: RunId::fresh(NOW),
            observed,
        };
        assert_eq!(decode_report(encode_report(report.clone())), Some(report));
    }
    assert_eq!(decode_report(v1::RunReport::default()), None);
}
