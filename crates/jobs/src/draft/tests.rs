//! Tests of what a draft may ask for.

use model::Span;

use super::{Draft, MOST_SCRIPT_BYTES, settle};
use stage::Work;

use super::Offer;
use crate::{Config, node::Capacity};

fn offer(name: &str, is_usual: bool, cores: u32) -> Offer {
    Offer {
        name: name.to_owned(),
        is_usual,
        capacity: Some(Capacity {
            name: name.to_owned(),
            cores,
            memory_bytes: 8 << 30,
            reduced: Vec::new(),
        }),
    }
}

fn node() -> [Offer; 1] {
    [offer("n", true, 4)]
}

fn draft() -> Draft {
    Draft::of(Work::Arguments(vec!["/bin/echo".to_owned(), "hello".to_owned()]))
}

fn faulty_fields(draft: Draft) -> Vec<&'static str> {
    let faults = settle(draft, &Config::default(), &node()).expect_err("it is refused");
    faults.iter().map(|fault| fault.field).collect()
}

#[test]
fn what_is_not_given_takes_the_default() {
    let config = Config::default();
    let settled = settle(draft(), &config, &node()).expect("it is good");
    assert_eq!((settled.name.as_str(), settled.cores), ("echo", Some(1)));
    assert_eq!(settled.memory_bytes, Some(config.default_memory_bytes));
    assert_eq!(settled.time_limit, Some(config.default_time_limit));
}

#[test]
fn q09_nothing_and_too_much_are_refused_by_name() {
    type Change = fn(&mut Draft);
    let cases: [(&str, Change); 10] = [
        ("cores", |draft| draft.cores = Some(0)),
        ("cores", |draft| draft.cores = Some(5)),
        ("cores", |draft| draft.cores = Some(u32::MAX)),
        ("memory_bytes", |draft| draft.memory_bytes = Some(0)),
        ("memory_bytes", |draft| draft.memory_bytes = Some((8 << 30) + 1)),
        ("memory_bytes", |draft| draft.memory_bytes = Some(u64::MAX)),
        ("time_limit", |draft| draft.time_limit = Some(Span::ZERO)),
        ("time_limit", |draft| draft.time_limit = Some(Span::from_secs(-5))),
        ("time_limit", |draft| {
            draft.time_limit = Some(Span::from_micros(i64::MAX))
        }),
        ("time_limit", |draft| {
            draft.time_limit = Some(Span::from_micros(999_999))
        }),
    ];
    for (field, change) in cases {
        let mut draft = draft();
        change(&mut draft);
        assert_eq!(faulty_fields(draft), [field]);
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let mut draft = Draft::of(Work::Script(" \n".to_owned()));
    draft.name = "a\nb".to_owned();
    draft.request_id = "x".repeat(65);
    draft.stdout_path = "logs/".to_owned();
    draft.working_directory = "a\0b".to_owned();
    draft.cores = Some(0);
    assert_eq!(
        faulty_fields(draft),
        [
            "work",
            "name",
            "request_id",
            "working_directory",
            "stdout_path",
            "cores"
        ]
    );
}

#[test]
fn work_that_is_none_is_refused() {
    for work in [
        Work::Script(String::new()),
        Work::Script("x".repeat(MOST_SCRIPT_BYTES + 1)),
        Work::Script("a\0".to_owned()),
        Work::Arguments(Vec::new()),
        Work::Arguments(vec![String::new()]),
        Work::Arguments(vec!["a\0".to_owned()]),
        Work::Arguments(vec!["a".to_owned(); 5000]),
    ] {
        assert_eq!(faulty_fields(Draft::of(work)), ["work"]);
    }
}

#[test]
fn a_job_is_measured_by_the_nodes_that_it_may_run_on() {
    let unheard = Offer {
        capacity: None,
        ..offer("quiet", false, 0)
    };
    let offers = [offer("here", true, 2), offer("large", false, 8), unheard];
    let fits = |node: &str, cores: u32, offers: &[Offer]| {
        let draft = Draft {
            node: node.to_owned(),
            cores: Some(cores),
            ..draft()
        };
        settle(draft, &Config::default(), offers)
            .map_err(|faults| faults.iter().map(|fault| fault.field).collect::<Vec<_>>())
            .map(drop)
    };
    for (node, cores, expected) in [
        ("", 2, Ok(())),
        ("", 3, Err(vec!["cores"])),
        ("large", 8, Ok(())),
        ("large", 9, Err(vec!["cores"])),
        ("any", 8, Ok(())),
        ("quiet", 1000, Ok(())),
        ("nowhere", 1, Err(vec!["node"])),
        ("large\n", 1, Err(vec!["node"])),
    ] {
        assert_eq!(fits(node, cores, &offers), expected, "{node} {cores}");
    }
    assert_eq!(fits("any", 9, &offers[..2]), Err(vec!["cores"]));
}
