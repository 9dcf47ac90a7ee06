//! Money from the command line to the books: an account, a price, a job that is held for and charged, and every answer
//! as JSON.

use std::{fs, path::Path};

use serde_json::{Value, json};
use testbed::Postgres;

use crate::harness::{LONG, Zone, eventually};

/// What a command says in JSON: one object.
#[track_caller]
fn object(zone: &Zone, arguments: &[&str]) -> Value {
    let text = zone.good(arguments);
    serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{arguments:?}: {fault}: {text}"))
}

/// What a command says in JSON: an object per line.
#[track_caller]
fn lines(zone: &Zone, arguments: &[&str]) -> Vec<Value> {
    let text = zone.good(arguments);
    let read = |line| serde_json::from_str(line).unwrap_or_else(|fault| panic!("{fault}: {line}"));
    text.lines().map(read).collect()
}

/// Four decimals as whole numbers.
fn amount(value: &Value) -> i64 {
    let text = value.as_str().unwrap_or_else(|| panic!("no sum: {value}"));
    let money: model::Money = text.parse().expect("a sum");
    money.ten_thousandths()
}

/// A zone whose owner has the account `lab` with this much on it, and a price of 36 per core and hour: hours
/// are cut off at two decimals, so that each 36 seconds cost 0.36.
fn with_account(config: &str, sum: &str) -> Zone {
    let zone = Zone::builder().config(config).start();
    zone.sign_in_owner();
    zone.good(&["account", "create", "lab"]);
    zone.good(&["price", "set", "local.local", "36"]);
    zone.good(&["pay", "lab", sum]);
    zone
}

#[test]
fn a_job_is_held_for_charged_and_found_in_the_books() {
    from_hold_to_books(&with_account("", "100"));
}

#[test]
fn a_job_is_held_for_charged_and_found_in_the_books_on_postgresql_too() {
    let url = Postgres::shared().database().expect("a database");
    let config = format!("[store]\nengine = \"postgresql\"\nurl = \"{url}\"\n");
    from_hold_to_books(&with_account(&config, "100"));
}

fn from_hold_to_books(zone: &Zone) {
    let number = zone.good(&[
        "run",
        "--time-limit",
        "360",
        "--detach",
        "--",
        "sh",
        "-c",
        "until [ -e go ]; do sleep 0.05; done; sleep 2",
    ]);
    // 0.1 hours of one core, while it waits or runs.
    let held = object(zone, &["account", "show", "lab", "--json"]);
    assert_eq!(
        (amount(&held["held"]), amount(&held["balance"])),
        (36_000, 1_000_000)
    );
    let job = &lines(zone, &["jobs", "--json"])[0];
    assert_eq!((&job["account"], amount(&job["held"])), (&json!("lab"), 36_000));
    zone.good(&[
        "run",
        "--account",
        "lab",
        "--time-limit",
        "36",
        "--",
        "sh",
        "-c",
        "touch go",
    ]);
    let number: u64 = number.trim().parse().expect("a number");
    eventually(LONG, "the job is over", || {
        let all = lines(zone, &["jobs", "--json"]);
        let it = all.iter().find(|job| job["number"] == number).expect("listed");
        (it["state"] == "completed").then_some(())
    });
    let after = object(zone, &["account", "show", "lab", "--json"]);
    let charges = lines(zone, &["charges", "--json"]);
    assert_eq!((charges.len(), amount(&after["held"])), (2, 0), "{charges:?}");
    let total: i64 = charges.iter().map(|charge| amount(&charge["amount"])).sum();
    assert_eq!(amount(&after["balance"]), 1_000_000 - total);
    assert!(
        (100..=72_000).contains(&total),
        "two seconds or more of one, at most what was held: {charges:?}"
    );
    for charge in &charges {
        assert_eq!(
            (&charge["account"], &charge["user_name"]),
            (&json!("lab"), &json!("keeper"))
        );
    }
    let of_tenants = lines(zone, &["charges", "--of-tenants", "--json"]);
    assert_eq!(of_tenants.len(), 2, "the tenant owes the zone for both");
    let ledger = object(zone, &["ledger", "--json"]);
    assert_eq!(amount(&ledger["sum"]), 0);
    let books = ledger["books"].as_array().expect("books");
    let sum: i64 = books.iter().map(|book| amount(&book["balance"])).sum();
    assert_eq!(sum, 0, "{ledger}");
    let lab = books.iter().find(|book| book["named"] == "account:lab");
    assert_eq!(lab.expect("its book")["balance"], after["balance"]);
}

#[test]
fn a_job_that_nobody_can_pay_for_is_refused_in_words() {
    let zone = with_account("", "1");
    let said = zone.soke(&["run", "--time-limit", "108", "--", "true"]);
    assert_eq!(said.code, Some(73), "{said:?}");
    assert!(
        said.errors.contains("may cost 1.0800") && said.errors.contains("1.0000"),
        "{said:?}"
    );
    let said = zone.soke(&["run", "--account", "other", "--time-limit", "1", "--", "true"]);
    assert_eq!(said.code, Some(66), "{said:?}");
    zone.good(&["account", "create", "second"]);
    let said = zone.soke(&["run", "--time-limit", "1", "--", "true"]);
    assert_eq!(said.code, Some(64), "{said:?}");
    assert!(said.errors.contains("lab, second"), "{said:?}");
    let said = zone.soke(&["run", "--account", "second", "--time-limit", "1", "--", "true"]);
    assert_eq!(said.code, Some(73), "{said:?}");
    assert!(said.errors.contains("pay in first"), "{said:?}");
    assert!(zone.good(&["jobs", "--json"]).is_empty(), "nothing was queued");
    zone.good(&["run", "--account", "lab", "--time-limit", "1", "--", "true"]);
}

#[test]
fn every_command_about_money_answers_programs_in_json() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let made = object(
        &zone,
        &["account", "create", "lab", "--comment", "the lab", "--json"],
    );
    assert_eq!(
        (
            &made["name"],
            &made["tenant"],
            &made["owner_user_name"],
            &made["blocked"]
        ),
        (&json!("lab"), &json!("default"), &json!("keeper"), &json!(true))
    );
    zone.good(&["user", "add", "ada"]);
    assert_eq!(
        object(&zone, &["account", "add-user", "lab", "ada", "--json"]),
        json!({"account": "lab", "user_name": "ada", "role": "user"})
    );
    let shown = object(&zone, &["account", "show", "lab", "--json"]);
    let members = json!([
        {"user_name": "ada", "role": "user"},
        {"user_name": "keeper", "role": "owner"},
    ]);
    assert_eq!(shown["members"], members);
    let listed = lines(&zone, &["account", "list", "--json"]);
    assert_eq!((listed.len(), &listed[0]["user_count"]), (1, &json!(2)));
    let price = object(
        &zone,
        &[
            "price",
            "set",
            "local.local",
            "0.04",
            "--basis",
            "cores-or-memory",
            "--id",
            "P",
            "--json",
        ],
    );
    assert_eq!(
        (
            &price["price_id"],
            &price["price"],
            &price["basis"],
            &price["active"]
        ),
        (
            &json!("P"),
            &json!("0.0400"),
            &json!("cores-or-memory"),
            &json!(true)
        )
    );
    assert_eq!(lines(&zone, &["price", "list", "--json"]), [price]);
    let pay = ["pay", "lab", "12.5", "--request-id", "first", "--json"];
    let paid = object(&zone, &pay);
    let wanted = json!({
        "number": 1, "name": "lab", "amount": "12.5000", "balance_before": "0.0000", "balance": "12.5000",
    });
    assert_eq!(paid, wanted);
    assert_eq!(object(&zone, &pay), wanted, "the same payment once more");
    object(&zone, &["pay", "default", "1", "--tenant", "--json"]);
    object(&zone, &["pay", "lab", "-0.0001", "--json"]);
    let payments = lines(&zone, &["payments", "--json"]);
    let sums: Vec<&Value> = payments.iter().map(|payment| &payment["amount"]).collect();
    assert_eq!(sums, ["-0.0001", "12.5000"]);
    let of_tenants = lines(&zone, &["payments", "--of-tenants", "--json"]);
    assert_eq!((of_tenants.len(), &of_tenants[0]["account"]), (1, &Value::Null));
    assert!(lines(&zone, &["charges", "--json"]).is_empty());
    assert_eq!(object(&zone, &["ledger", "--json"])["sum"], "0.0000");
}

#[test]
fn mistakes_about_money_say_what_would_be_right() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    zone.good(&["account", "create", "lab"]);
    for (arguments, code, words) in [
        (&["pay", "lab", "1.00001"][..], 64, "four decimals"),
        (&["pay", "lab", "much"], 64, "four decimals"),
        (&["pay", "lab", "922337203685477.5808"], 64, "at most"),
        (&["pay", "nobody", "1"], 66, "nobody"),
        (&["price", "set", "local", "1"], 64, "CLUSTER.PARTITION"),
        (&["price", "set", "local.local", "-1"], 64, "below zero"),
        (&["account", "create", "lab"], 73, "lab"),
        (&["account", "create", "a b"], 64, "name"),
        (&["account", "show", "other"], 66, "other"),
        (&["account", "add-user", "lab", "nobody"], 66, "nobody"),
        (&["account", "add-user", "lab", "keeper"], 73, "in it already"),
    ] {
        let said = zone.soke(arguments);
        assert_eq!(said.code, Some(code), "{arguments:?}: {said:?}");
        assert!(said.errors.contains(words), "{arguments:?}: {said:?}");
    }
}

#[test]
fn the_page_on_money_tells_the_rule_that_the_zone_tells() {
    let zone = Zone::builder().start();
    zone.sign_in_owner();
    let told = zone.good(&["price", "list"]);
    let rule = told.lines().last().expect("the rule");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/money.md");
    let page = fs::read_to_string(page).expect("the page");
    let words: Vec<&str> = page.split_whitespace().filter(|word| *word != ">").collect();
    assert!(words.join(" ").contains(rule), "{rule}");
}
