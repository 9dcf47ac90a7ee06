//! The comment of a charge: a text in which `{{ cluster }}`, `{{ idJob }}` and the like stand for what the job has.
//!
//! The words are those of SCOW's table of ended jobs. What it leaves to others: the text (the configuration).

use model::Money;

use crate::bill::Bill;

/// Fills the text in. A word that means nothing stays as it is.
pub(crate) fn filled(
    text: &str,
    bill: &Bill,
    number: i64,
    (account_price, tenant_price): (Money, Money),
) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((word, behind)) = after.split_once("}}") else {
            break;
        };
        filled.push_str(before);
        match value(word.trim(), bill, number, account_price, tenant_price) {
            Some(value) => filled.push_str(&value),
            None => filled.push_str(&format!("{{{{{word}}}}}")),
        }
        rest = behind;
    }
    filled.push_str(rest);
    filled
}

fn value(word: &str, bill: &Bill, number: i64, account_price: Money, tenant_price: Money) -> Option<String> {
    let usage = &bill.usage;
    Some(match word {
        "biJobIndex" => number.to_string(),
        "idJob" => bill.key.number.to_string(),
        "account" => bill.account_name.clone(),
        "user" => bill.user_name.clone(),
        "partition" => bill.partition.clone(),
        "nodelist" => bill.node_list.clone(),
        "jobName" => bill.name.clone(),
        "cluster" => bill.key.cluster.clone(),
        "gpu" => usage.gpus.to_string(),
        "cpusReq" | "cpusAlloc" => usage.cpus.to_string(),
        "memReq" | "memAlloc" => usage.mem_req_mb.to_string(),
        "nodesReq" | "nodesAlloc" => bill.nodes.to_string(),
        "timelimit" => usage.elapsed_secs.div_ceil(60).to_string(),
        "timeUsed" => bill.billed_secs().to_string(),
        "qos" => bill.qos.clone(),
        "tenant" => bill.tenant_name.clone(),
        "accountPrice" => account_price.to_string(),
        "tenantPrice" => tenant_price.to_string(),
        _ => return None,
    })
}
