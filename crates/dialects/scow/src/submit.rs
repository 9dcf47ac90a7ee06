//! `SubmitJob`'s message as a draft of a job.
//!
//! What it leaves to others: what a good job is (`jobs`); here are only the fields that SCOW has and a draft has
//! not, and their units.

use jobs::Draft;
use model::{ErrorKind, Span};
use stage::Work;
use tonic::Status;
use wire::{
    FieldFaults,
    scow::portal::{SubmitJobRequest, TimeUnit},
};

use crate::text;

/// The one QOS there is, under the name that Slurm gives it.
pub(crate) const QOS: &str = "normal";

/// Refuses what is asked for beside the job and not built, rather than leaving it undone.
pub(crate) fn refuse_extras(message: &SubmitJobRequest) -> Result<(), Status> {
    let unbuilt = |text: &str| Err(wire::status(ErrorKind::Unimplemented, text));
    if message.save_as_template {
        return unbuilt("save_as_template: job templates are not built yet; submit without it");
    }
    if message
        .script_output
        .as_ref()
        .is_some_and(|path| !path.is_empty())
    {
        return unbuilt("script_output: keeping the script is not built yet; leave it empty");
    }
    Ok(())
}

/// Reads the draft, and what is wrong with the fields that a draft does not have. A field at fault takes its
/// default in the draft, so that the slice can judge the rest.
pub(crate) fn draft(message: SubmitJobRequest, cluster: &str) -> (Draft, FieldFaults) {
    let mut faults = FieldFaults::new();
    let nodes = message.node_count;
    faults.check(
        nodes == 1,
        "node_count",
        &format!("is {nodes}"),
        "1: the cluster has one node",
    );
    let gpus = message.gpu_count.unwrap_or(0);
    faults.check(
        gpus == 0,
        "gpu_count",
        &format!("is {gpus}"),
        "0: the cluster has no GPU",
    );
    let partition = Some(message.partition).filter(|name| !name.is_empty());
    let partition = partition.unwrap_or_else(|| cluster.to_owned());
    let right = format!("`{cluster}`, the only one, or nothing");
    faults.check(partition == cluster, "partition", "is not known", &right);
    let qos = Some(message.qos.unwrap_or_default()).filter(|name| !name.is_empty());
    let qos = qos.unwrap_or_else(|| QOS.to_owned());
    faults.check(
        qos == QOS,
        "qos",
        "is not known",
        "`normal`, the only one, or nothing",
    );
    let memory = message.memory.as_deref().filter(|text| !text.is_empty());
    let memory_bytes = memory.and_then(text::memory);
    let right = "a whole number of MiB from 1, such as 512MB";
    faults.check(
        memory.is_some() == memory_bytes.is_some(),
        "memory",
        "is not a size",
        right,
    );
    let time_limit = time_limit(&mut faults, message.max_time, message.max_time_unit);
    let draft = Draft {
        name: message.job_name,
        cores: Some(message.core_count),
        memory_bytes,
        time_limit,
        working_directory: message.working_directory,
        stdout_path: message.output,
        stderr_path: message.error_output,
        name_must_be_free: true,
        account: message.account,
        partition,
        qos,
        comment: message.comment.unwrap_or_default(),
        ..Draft::of(Work::Script(message.command))
    };
    (draft, faults)
}

fn time_limit(faults: &mut FieldFaults, number: u32, unit: Option<i32>) -> Option<Span> {
    let unit = TimeUnit::try_from(unit.unwrap_or_default());
    let secs = match unit {
        Ok(TimeUnit::Minutes) => 60,
        Ok(TimeUnit::Hours) => 3_600,
        Ok(TimeUnit::Days) => 86_400,
        Err(_) => {
            faults.add("max_time_unit", "is no unit", "MINUTES, HOURS or DAYS");
            return None;
        }
    };
    Some(Span::from_secs(i64::from(number) * secs))
}

/// The message's name of a draft's field.
pub(crate) fn field(name: &'static str) -> &'static str {
    match name {
        "name" => "job_name",
        "work" => "command",
        "cores" => "core_count",
        "memory_bytes" => "memory",
        "time_limit" => "max_time",
        "stdout_path" => "output",
        "stderr_path" => "error_output",
        same => same,
    }
}
