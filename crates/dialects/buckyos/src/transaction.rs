//! The parameters of `sys_config_exec_tx`: an action for each key, and the key whose revision guards them.
//!
//! Section 4 of the contract on system_config. The guard is the text `key:revision` of older clients, or the object
//! of newer ones. What it leaves to others: making the transaction (`tree`).

use std::collections::BTreeMap;

use krpc::{Class, Failure};
use serde_json::{Map, Value};
use tree::{Guard, Key, Step};

use crate::{
    answer, fault,
    params::{Params, wrong},
};

fn parse_error(text: String) -> Failure {
    Failure::new(Class::ParseRequest, text)
}

fn key_of(text: &str) -> Result<Key, Failure> {
    Key::parse(text).map_err(|fault| fault::of_tree(fault.into()))
}

/// Reads the actions and the guard.
pub(crate) fn read(params: &Params<'_>) -> Result<(BTreeMap<Key, Step>, Option<Guard>), Failure> {
    let actions = params
        .any("actions")
        .ok_or_else(|| Failure::reason("Missing actions"))?;
    let actions = actions
        .as_object()
        .ok_or_else(|| wrong("actions", "an object", actions))?;
    let mut steps = BTreeMap::new();
    for (text, action) in actions {
        let key = key_of(text)?;
        if steps.insert(key.clone(), step(action)?).is_some() {
            return Err(parse_error(format!(
                "`actions` has the key {key} in two spellings"
            )));
        }
    }
    let guard = params.any("main_key").map(guard).transpose()?;
    Ok((steps, guard))
}

fn step(action: &Value) -> Result<Step, Failure> {
    let members = action
        .as_object()
        .ok_or_else(|| wrong("actions", "objects with `action`", action))?;
    let kind = text(members, "action")?;
    Ok(match kind {
        "create" => Step::Create(text(members, "value")?.to_owned()),
        "update" => Step::Update(text(members, "value")?.to_owned()),
        "append" => {
            let member = if members.contains_key("append_value") {
                "append_value"
            } else {
                "value"
            };
            Step::Append(text(members, member)?.to_owned())
        }
        "set_by_path" => {
            let parts = members.get("all_set").unwrap_or(&Value::Null);
            let parts = parts
                .as_object()
                .ok_or_else(|| wrong("all_set", "an object", parts))?;
            let part = |(path, value): (&String, &Value)| {
                (path.clone(), Some(value.clone()).filter(|value| !value.is_null()))
            };
            Step::Parts(parts.iter().map(part).collect())
        }
        "remove" => Step::Remove,
        other => {
            let other = answer::repeated(other);
            return Err(Failure::reason(format!("Unknown action type: {other}")));
        }
    })
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Failure> {
    let value = members.get(name).unwrap_or(&Value::Null);
    value.as_str().ok_or_else(|| wrong(name, "a text", value))
}

fn guard(value: &Value) -> Result<Guard, Failure> {
    const WANTED: &str = "a text `key:revision`, or an object with `key` and `revision`";
    let (key, revision) = match value {
        Value::String(text) => {
            let split = text.rsplit_once(':');
            let split = split.and_then(|(key, revision)| Some((key, revision.parse().ok()?)));
            split.ok_or_else(|| parse_error(format!("`main_key` is no `key:revision`, want {WANTED}")))?
        }
        Value::Object(members) => {
            let revision = members.get("revision").and_then(Value::as_u64);
            let revision = revision.ok_or_else(|| wrong("main_key", WANTED, value))?;
            (text(members, "key")?, revision)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            return Err(wrong("main_key", WANTED, value));
        }
    };
    let key = key_of(key)?;
    Ok(Guard { key, revision })
}
