//! A02 in a whole zone: the server is killed between submit, end and settlement, and the books are right after every
//! start: what is held is what unfinished jobs may cost, every ended job is charged once, by its seconds, and the ledger
//! sums to zero.

use std::{collections::BTreeSet, fs, thread, time::Duration};

use tonic::Code;
use wire::soke::v1::{
    self, JobState, account_service_client::AccountServiceClient, job_service_client::JobServiceClient,
};

use crate::harness::{LONG, Wire, Zone, eventually, is_full, wire::signed};

/// Everything is counted in 1/10000.
const PAID: i64 = 100_000_000;
/// For a core and an hour.
const PRICE: i64 = 36_000_000;
const LEAST: i64 = 100;
const LIMIT_SECS: u64 = 100;
const CONFIG: &str = "[accounts]\ndecimals = 4\nmin_charge = \"0.01\"\n";

/// SCOW's formula for one core, in four decimals.
fn cost(secs: i64) -> i64 {
    if secs == 0 {
        0
    } else {
        (PRICE / 10_000 * (secs * 10_000 / 3_600)).max(LEAST)
    }
}

struct Money<'a> {
    zone: &'a mut Zone,
    owner: String,
    wire: Wire,
}

impl<'a> Money<'a> {
    /// An account with money, and a price.
    fn new(zone: &'a mut Zone) -> Self {
        let wire = zone.wire();
        let owner = wire.sign_in(&zone.owner_code()).access_token;
        let mut money = Self { zone, owner, wire };
        let account = v1::CreateAccountRequest {
            name: "physics".to_owned(),
            ..v1::CreateAccountRequest::default()
        };
        let mut accounts = money.accounts();
        money
            .wire
            .wait(accounts.create_account(signed(account, &money.owner)))
            .expect("made");
        let price = v1::SetPriceRequest {
            path: "local.local".to_owned(),
            price: Some(v1::Money {
                ten_thousandths: PRICE,
            }),
            ..v1::SetPriceRequest::default()
        };
        money
            .wire
            .wait(accounts.set_price(signed(price, &money.owner)))
            .expect("set");
        let payment = v1::PayRequest {
            account: "physics".to_owned(),
            amount: Some(v1::Money {
                ten_thousandths: PAID,
            }),
            request_id: "once".to_owned(),
            ..v1::PayRequest::default()
        };
        for _try in 0..2 {
            let paid = money
                .wire
                .wait(money.accounts().pay(signed(payment.clone(), &money.owner)));
            assert_eq!(
                paid.expect("paid")
                    .into_inner()
                    .balance
                    .expect("a sum")
                    .ten_thousandths,
                PAID
            );
            money.restart();
        }
        money
    }

    fn restart(&mut self) {
        self.zone.kill();
        self.zone.start();
        self.wire = self.zone.wire();
    }

    fn accounts(&self) -> AccountServiceClient<rpc::Channel> {
        AccountServiceClient::new(self.wire.channel())
    }

    fn submit(&self, script: &str) -> Result<v1::Job, Code> {
        let request = v1::SubmitJobRequest {
            script: script.to_owned(),
            time_limit_secs: LIMIT_SECS,
            memory_bytes: 16 << 20,
            ..v1::SubmitJobRequest::default()
        };
        let mut jobs = JobServiceClient::new(self.wire.channel());
        let answer = self.wire.wait(jobs.submit_job(signed(request, &self.owner)));
        let answer = answer.map_err(|status| status.code())?.into_inner();
        Ok(answer.job.expect("a job"))
    }

    fn jobs(&self) -> Vec<v1::Job> {
        let mut jobs = JobServiceClient::new(self.wire.channel());
        let request = v1::ListJobsRequest {
            page_size: 1000,
            ..v1::ListJobsRequest::default()
        };
        let page = self.wire.wait(jobs.list_jobs(signed(request, &self.owner)));
        page.expect("listed").into_inner().jobs
    }

    fn account(&self) -> v1::Account {
        let request = v1::GetAccountRequest {
            name: "physics".to_owned(),
        };
        let answer = self
            .wire
            .wait(self.accounts().get_account(signed(request, &self.owner)));
        answer.expect("there").into_inner().account.expect("an account")
    }

    fn charges(&self) -> Vec<v1::Charge> {
        let request = v1::ListChargesRequest {
            page_size: 1000,
            account: "physics".to_owned(),
            ..v1::ListChargesRequest::default()
        };
        let answer = self
            .wire
            .wait(self.accounts().list_charges(signed(request, &self.owner)));
        answer.expect("listed").into_inner().charges
    }

    /// Looks whether books and jobs say the same, once no job ended while it looked.
    fn is_right(&self) {
        let look = || {
            let (jobs, account, charges) = (self.jobs(), self.account(), self.charges());
            (jobs == self.jobs()).then_some((jobs, account, charges))
        };
        let (jobs, account, charges) = eventually(LONG, "no job ends meanwhile", look);
        let (ended, unfinished): (Vec<_>, Vec<_>) = jobs.iter().partition(|job| job.ended_at.is_some());
        let sum = |money: &Option<v1::Money>| money.as_ref().map_or(0, |money| money.ten_thousandths);
        let most = cost(i64::try_from(LIMIT_SECS).expect("small"));
        assert_eq!(
            sum(&account.held),
            most * i64::try_from(unfinished.len()).expect("few"),
            "{unfinished:?}"
        );
        let started: Vec<&v1::Job> = ended.into_iter().filter(|job| job.started_at.is_some()).collect();
        let costs: i64 = started.iter().map(|job| cost(secs(job))).sum();
        assert_eq!(sum(&account.balance), PAID - costs, "{started:?}");
        assert_eq!(
            charges.iter().map(|charge| sum(&charge.amount)).sum::<i64>(),
            costs
        );
        let comments: BTreeSet<&str> = charges.iter().map(|charge| charge.comment.as_str()).collect();
        assert_eq!(
            (charges.len(), comments.len()),
            (started.len(), started.len()),
            "{comments:?}"
        );
        let ledger = self.wire.wait(
            self.accounts()
                .get_ledger(signed(v1::GetLedgerRequest {}, &self.owner)),
        );
        let ledger = ledger.expect("told").into_inner();
        assert_eq!((sum(&ledger.sum), ledger.books.len() >= 4), (0, true));
    }

    fn until(&self, job: &v1::Job, state: JobState) -> v1::Job {
        self.wire.job_until(&self.owner, job.number, state)
    }
}

/// The whole seconds that a job ran.
fn secs(job: &v1::Job) -> i64 {
    let micros = |seconds: i64, nanos: i32| seconds * 1_000_000 + i64::from(nanos) / 1_000;
    let started = job.started_at.as_ref().map(|at| micros(at.seconds, at.nanos));
    let ended = job.ended_at.as_ref().map(|at| micros(at.seconds, at.nanos));
    (ended.expect("it has ended") - started.expect("it has started")) / 1_000_000
}

fn the_books_are_right_after_every_kill(zone: &mut Zone, kills: u32) {
    let mut money = Money::new(zone);
    money.is_right();

    // Killed while a job runs; it ends while no server is there.
    let waits = "while [ ! -e go ]; do sleep 0.05; done; touch gone; exit 3";
    let job = money.submit(waits).expect("it is paid for");
    assert_eq!(
        (job.account.as_str(), job.held),
        (
            "physics",
            Some(v1::Money {
                ten_thousandths: cost(100)
            })
        )
    );
    money.restart();
    money.until(&job, JobState::Running);
    money.is_right();
    money.zone.kill();
    let home = money.zone.data().join("homes/keeper");
    fs::write(home.join("go"), "").expect("the home is there");
    eventually(LONG, "the job ends without a server", || {
        home.join("gone").exists().then_some(())
    });
    money.zone.start();
    money.wire = money.zone.wire();
    assert_eq!(money.until(&job, JobState::Failed).exit_code, Some(3));
    money.is_right();
    money.restart();
    money.is_right();

    // One that never starts costs nothing, and a cancel that was answered has freed what was held.
    let job = money.submit("sleep 600").expect("it is paid for");
    let number = job.number;
    let mut jobs = JobServiceClient::new(money.wire.channel());
    money
        .wire
        .wait(jobs.cancel_job(signed(v1::CancelJobRequest { number }, &money.owner)))
        .expect("cancelled");
    money.restart();
    money.until(&job, JobState::Cancelled);
    money.is_right();

    // Killed somewhere between the submit and the settlement of three jobs.
    for kill in 0..kills {
        let submitted: Vec<v1::Job> = ["true", "sleep 0.3", "sleep 1.2; exit 1"]
            .iter()
            .map(|script| money.submit(script).expect("it is paid for"))
            .collect();
        // may sleep: the kills are to fall on different moments, whatever each finds
        thread::sleep(Duration::from_millis(u64::from(kill) * 1_500 / u64::from(kills)));
        money.restart();
        money.is_right();
        for job in &submitted {
            let ended = || money.wire.job(&money.owner, job.number).expect("there").ended_at;
            eventually(LONG, "the job ends", ended);
        }
        money.is_right();
    }
}

#[test]
fn a02_the_books_are_right_wherever_the_server_is_killed() {
    let mut zone = Zone::builder().config(CONFIG).start();
    the_books_are_right_after_every_kill(&mut zone, if is_full() { 20 } else { 3 });
}

#[test]
fn a02_the_same_on_postgresql() {
    let url = testbed::Postgres::shared().database().expect("a database");
    let store = format!("{CONFIG}[store]\nengine = \"postgresql\"\nurl = \"{url}\"\n");
    let mut zone = Zone::builder().config(&store).start();
    the_books_are_right_after_every_kill(&mut zone, if is_full() { 20 } else { 1 });
}

/// Many submits at once through the door against money for ten of them.
#[test]
fn a03_no_account_pays_for_more_jobs_than_it_has_money_for() {
    let tries = if is_full() { 1_000 } else { 100 };
    let mut zone = Zone::builder().config(CONFIG).start();
    let money = Money::new(&mut zone);
    // What is left is enough for ten.
    let payment = v1::PayRequest {
        account: "physics".to_owned(),
        amount: Some(v1::Money {
            ten_thousandths: 10 * cost(100) - PAID,
        }),
        ..v1::PayRequest::default()
    };
    money
        .wire
        .wait(money.accounts().pay(signed(payment, &money.owner)))
        .expect("paid back");
    let answers = money.wire.wait(async {
        let submit = |_try| {
            let request = v1::SubmitJobRequest {
                script: "sleep 600".to_owned(),
                time_limit_secs: LIMIT_SECS,
                memory_bytes: 16 << 20,
                ..v1::SubmitJobRequest::default()
            };
            let mut jobs = JobServiceClient::new(money.wire.channel());
            let request = signed(request, &money.owner);
            async move {
                jobs.submit_job(request)
                    .await
                    .map(drop)
                    .map_err(|status| status.code())
            }
        };
        futures::future::join_all((0..tries).map(submit)).await
    });
    let queued = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(queued, 10);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Ok(()) | Err(Code::FailedPrecondition)))
    );
    let held = money.account().held.expect("a sum").ten_thousandths;
    assert_eq!(held, 10 * cost(100));
    assert_eq!(money.jobs().len(), 10);
}
