//! Tests that nothing is lost between a job and its messages.

use confine::Account;
use jobs::node::{Order, Report};
use model::{JobId, Span, Timestamp};
use stage::{Cause, Exit, Observed, Work};
use tonic::Code;

use super::{decode_order, decode_report, encode_order, encode_report};

fn order(work: Work) -> Order {
    Order {
        id: JobId::fresh(Timestamp::from_secs(1)),
        number: 3,
        name: "name".to_owned(),
        account: Account {
            name: "ada".to_owned(),
            number: 7,
            unix_name: None,
            owner: false,
        },
        work,
        cores: 2,
        memory_bytes: 5,
        time_limit: Span::from_micros(11),
        working_directory: "w".to_owned(),
        stdout_path: "o".to_owned(),
        stderr_path: "e".to_owned(),
    }
}

#[test]
fn an_order_comes_back_from_its_message() {
    for work in [
        Work::Script("true\n".to_owned()),
        Work::Arguments(vec!["a".to_owned(), String::new()]),
    ] {
        let order = order(work);
        assert_eq!(
            decode_order(encode_order(order.clone())).expect("it is good"),
            order
        );
    }
}

#[test]
fn an_order_with_faults_names_them_all() {
    let mut message = encode_order(order(Work::Script("true\n".to_owned())));
    message.job_id = "7".to_owned();
    message.account = None;
    message.arguments = vec!["b".to_owned()];
    let status = decode_order(message).expect_err("it is refused");
    assert_eq!(status.code(), Code::InvalidArgument);
    for field in ["job_id", "account", "arguments"] {
        assert!(status.message().contains(field), "{field}: {status:?}");
    }
}

#[test]
fn a_report_comes_back_from_its_message() {
    let id = JobId::fresh(Timestamp::from_secs(1));
    let causes = [
        Cause::Itself,
        Cause::Cancelled,
        Cause::TimeLimit,
        Cause::MemoryLimit,
        Cause::NotStarted,
        Cause::Broken,
    ];
    let ended = causes.map(|cause| {
        Observed::Ended(
            Exit {
                cause,
                reason: "so".to_owned(),
                code: Some(143).filter(|_| cause != Cause::NotStarted),
                cpu: Span::from_micros(1),
                peak_memory_bytes: 2,
                started_at: Timestamp::from_micros(3),
                ended_at: Timestamp::from_micros(4),
                ran: Span::from_micros(5),
            }
            .into(),
        )
    });
    let started_at = Timestamp::from_micros(6);
    let others = [
        Observed::Starting,
        Observed::Running { started_at },
        Observed::Lost,
    ];
    for observed in others.into_iter().chain(ended) {
        let report = Report { id, observed };
        assert_eq!(decode_report(encode_report(report.clone())), Some(report));
    }
    assert_eq!(decode_report(wire::soke::agent::v1::JobReport::default()), None);
}
