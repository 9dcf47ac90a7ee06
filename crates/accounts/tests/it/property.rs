//! Whatever happens in whatever order: the account has what a plain sum says, and the books hold.

use std::collections::BTreeMap;

use accounts::{
    Error, Fetch, Payment,
    price::{Amount, Rule, Usage, price as price_of},
};
use model::{Money, Span};
use proptest::{
    prelude::*,
    test_runner::{Config as Cases, TestRunner},
};

use crate::bed::{Bed, User, job, never_ran, price, ran, raw, rounds};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Deed {
    Pay(i64),
    SetPrice(i64),
    Submit {
        cpus: u32,
        limit_secs: i64,
    },
    /// The end of one of the jobs so far, also of one that has ended; none: it never started.
    End {
        which: usize,
        secs: Option<i64>,
    },
    Fetch,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let amount =
        prop_oneof![8 => -20_000..60_000_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => Just(0)];
    let deed = prop_oneof![
        3 => amount.prop_map(Deed::Pay),
        1 => prop_oneof![Just(0), 1..30_000_i64].prop_map(Deed::SetPrice),
        4 => (0..6_u32, 0..8_000_i64).prop_map(|(cpus, limit_secs)| Deed::Submit { cpus, limit_secs }),
        4 => (0..12_usize, prop::option::weighted(0.9, 0..9_000_i64)).prop_map(|(which, secs)| Deed::End { which, secs }),
        1 => Just(Deed::Fetch),
    ];
    prop::collection::vec(deed, 1..40)
}

/// A job as the plain sum knows it.
#[derive(Debug, Clone, Copy)]
struct Known {
    cpus: u32,
    limit_secs: i64,
    unit: Option<i64>,
    hold: i64,
    ended_secs: Option<i64>,
    is_done: bool,
}

/// What the account must have, by plain sums.
#[derive(Debug, Default)]
struct Sums {
    balance: i64,
    unit: Option<i64>,
    jobs: BTreeMap<u32, Known>,
}

fn cost(cpus: u32, secs: i64, unit: i64) -> i64 {
    let rule = Rule {
        amount: Amount::CpusAlloc,
        unit_price: raw(unit),
        decimals: 2,
        min_charge: raw(100),
    };
    let usage = Usage {
        cpus: u64::from(cpus),
        elapsed_secs: u64::try_from(secs).expect("not negative"),
        ..Usage::default()
    };
    price_of(&rule, &usage).expect("small").ten_thousandths()
}

fn most(cpus: u32, limit_secs: i64, unit: i64) -> i64 {
    let least = if unit > 0 { 100 } else { 0 };
    cost(cpus, limit_secs, unit).max(least)
}

impl Sums {
    fn held(&self) -> i64 {
        let open = self.jobs.values().filter(|job| !job.is_done);
        open.map(|job| job.hold).sum()
    }

    fn set_price(&mut self, unit: i64) {
        self.unit = Some(unit);
        for job in self
            .jobs
            .values_mut()
            .filter(|job| !job.is_done && job.unit.is_none())
        {
            job.unit = Some(unit);
            job.hold = most(job.cpus, job.limit_secs, unit);
        }
        let waiting: Vec<u32> = self.jobs.keys().copied().collect();
        for number in waiting {
            self.charge(number);
        }
    }

    fn charge(&mut self, number: u32) {
        let Some(job) = self.jobs.get_mut(&number).filter(|job| !job.is_done) else {
            return;
        };
        if let (Some(unit), Some(secs)) = (job.unit, job.ended_secs) {
            let charge = cost(job.cpus, secs.min(job.limit_secs), unit);
            assert!(charge <= job.hold, "{job:?} costs {charge}");
            self.balance -= charge;
            job.is_done = true;
        }
    }
}

/// One course of deeds on an account of its own, with a partition of its own, so that nothing else sets its price.
struct Course<'a> {
    bed: &'a Bed,
    account: String,
    user: User,
    base: u32,
    sums: Sums,
}

impl Course<'_> {
    fn partition(&self) -> String {
        format!("of-{}", self.account)
    }

    async fn happen(&mut self, deed: &Deed) {
        match *deed {
            Deed::Pay(amount) => self.pay(amount).await,
            Deed::SetPrice(unit) => {
                let mut new = price(&format!("local.{}", self.partition()), "0");
                new.price = raw(unit);
                self.bed.try_price(new).await.expect("set");
                self.sums.set_price(unit);
            }
            Deed::Submit { cpus, limit_secs } => self.submit(cpus, limit_secs).await,
            Deed::End { which, secs } => self.end(which, secs).await,
            Deed::Fetch => {
                let permit = self.bed.permit::<Fetch>().await;
                self.bed.accounts.fetch(permit).await.expect("fetched");
            }
        }
        let shown = self.bed.shown(&self.account).await;
        assert_eq!(
            (shown.balance, shown.held),
            (raw(self.sums.balance), raw(self.sums.held())),
            "after {deed:?}"
        );
        self.bed.ledger().await;
    }

    async fn pay(&mut self, amount: i64) {
        let payment = Payment {
            tenant: "default".to_owned(),
            account: Some(self.account.clone()),
            amount: raw(amount),
            ..Payment::default()
        };
        match self.bed.try_pay(payment).await {
            Ok(paid) => {
                assert_eq!(paid.previous, raw(self.sums.balance));
                self.sums.balance += amount;
            }
            Err(Error::Overflow { .. }) => assert!([i64::MAX, i64::MIN].contains(&amount)),
            Err(other) => panic!("{}", model::chain(&other)),
        }
        // What was paid beyond all measure goes back, so that the next of these courses may do the same.
        if self.sums.balance.unsigned_abs() > 1 << 60 {
            let back = Money::ZERO.checked_sub(raw(self.sums.balance)).expect("fits");
            let payment = Payment {
                tenant: "default".to_owned(),
                account: Some(self.account.clone()),
                amount: back,
                ..Payment::default()
            };
            self.bed.try_pay(payment).await.expect("taken out");
            self.sums.balance = 0;
        }
    }

    async fn submit(&mut self, cpus: u32, limit_secs: i64) {
        let number = self.base + u32::try_from(self.sums.jobs.len()).expect("few");
        let mut asked = job(number, &self.user);
        (asked.cpus, asked.time_limit) = (cpus, Span::from_secs(limit_secs));
        asked.partition.name = self.partition();
        let hold = self.sums.unit.map_or(0, |unit| most(cpus, limit_secs, unit));
        let sums = &mut self.sums;
        match self.bed.submit(asked).await {
            Ok(admitted) => {
                assert_eq!(admitted.hold, raw(hold));
                assert!(
                    sums.balance > 0 && sums.balance - sums.held() - hold >= 0,
                    "below the limit"
                );
                let job = Known {
                    cpus,
                    limit_secs,
                    unit: sums.unit,
                    hold,
                    ended_secs: None,
                    is_done: false,
                };
                sums.jobs.insert(number, job);
            }
            Err(Error::Blocked { .. }) => assert!(sums.balance <= 0),
            Err(Error::NotEnough { .. }) => assert!(sums.balance - sums.held() - hold < 0),
            Err(other) => panic!("{}", model::chain(&other)),
        }
    }

    async fn end(&mut self, which: usize, secs: Option<i64>) {
        let Some(number) = self.sums.jobs.keys().nth(which).copied() else {
            return;
        };
        let ended = secs.map_or_else(|| never_ran(number), |secs| ran(number, secs));
        self.bed.end(ended).await;
        let job = self.sums.jobs.get_mut(&number).expect("there");
        if job.is_done || job.ended_secs.is_some() {
            return;
        }
        match secs {
            None => job.is_done = true,
            Some(secs) => {
                job.ended_secs = Some(secs);
                self.sums.charge(number);
            }
        }
    }
}

fn courses(make: impl AsyncFnOnce() -> Bed, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let bed = runtime.block_on(make());
    let mut runner = TestRunner::new(Cases {
        cases,
        failure_persistence: None,
        ..Cases::default()
    });
    let number = std::cell::Cell::new(0_u32);
    let ran = runner.run(&deeds(), |deeds| {
        number.set(number.get() + 1);
        let course = number.get();
        runtime.block_on(async {
            let user = bed.silent_user(&format!("u{course}")).await;
            let account = format!("a{course}");
            bed.account(&account, &user).await;
            let mut course = Course {
                bed: &bed,
                account,
                user,
                base: course * 100,
                sums: Sums::default(),
            };
            for deed in &deeds {
                course.happen(deed).await;
            }
        });
        Ok(())
    });
    if let Err(fault) = ran {
        panic!("{fault}");
    }
}

#[test]
fn any_course_of_deeds_keeps_the_books_on_sqlite() {
    courses(async || Bed::sqlite().await, rounds(24, 400));
}

#[test]
fn any_course_of_deeds_keeps_the_books_on_postgresql() {
    courses(async || Bed::postgres().await, rounds(8, 100));
}
