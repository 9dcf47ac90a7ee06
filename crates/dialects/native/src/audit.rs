//! `soke.v1.AuditService`: reading the audit trail.
//!
//! What it leaves to others: writing and sealing it, and who may read it (`access`).

use access::audit::{Breach, Read, Record, Verdict};
use tonic::{Request, Response, Status};
use wire::{
    FieldFaults,
    soke::v1::{self, audit_service_server::AuditService},
};

use caller::Callers;

use crate::{page, stamp::stamp};

/// Serves the audit calls.
#[derive(Clone)]
pub(crate) struct Trail {
    pub(crate) callers: Callers,
}

#[tonic::async_trait]
impl AuditService for Trail {
    async fn list_deeds(
        &self,
        request: Request<v1::ListDeedsRequest>,
    ) -> Result<Response<v1::ListDeedsResponse>, Status> {
        let (metadata, extensions, message) = request.into_parts();
        let permit = self.callers.permit::<Read>(&metadata, &extensions).await?;
        let mut faults = FieldFaults::new();
        let most = page::size(&mut faults, message.page_size);
        let token = page::token(&mut faults, &message.page_token);
        let before: Option<i64> = token.and_then(|token| token.parse().ok());
        faults.check(
            token.is_none() || before.is_some(),
            "page_token",
            "is none that was given",
            "next_page_token of the page before, or nothing for the first page",
        );
        faults.finish()?;
        let records = self.callers.access().list_audit(&permit, before, most).await;
        let records = records.map_err(caller::fault::access)?;
        let is_full = u32::try_from(records.len()).is_ok_and(|count| count == most);
        let next = records.last().filter(|last| is_full && last.seq > 1);
        Ok(Response::new(v1::ListDeedsResponse {
            next_page_token: next.map_or_else(String::new, |last| last.seq.to_string()),
            deeds: records.into_iter().map(encode).collect(),
        }))
    }

    async fn verify_trail(
        &self,
        request: Request<v1::VerifyTrailRequest>,
    ) -> Result<Response<v1::VerifyTrailResponse>, Status> {
        let (metadata, extensions, v1::VerifyTrailRequest {}) = request.into_parts();
        let permit = self.callers.permit::<Read>(&metadata, &extensions).await?;
        let verdict = self.callers.access().verify_audit(&permit).await;
        let answer = match verdict.map_err(caller::fault::access)? {
            Verdict::Whole { rows } => v1::VerifyTrailResponse {
                whole: true,
                deeds: u64::try_from(rows).unwrap_or_default(),
                breach: String::new(),
            },
            Verdict::Broken(breach) => v1::VerifyTrailResponse {
                whole: false,
                deeds: 0,
                breach: in_words(&breach),
            },
        };
        Ok(Response::new(answer))
    }
}

fn in_words(breach: &Breach) -> String {
    match breach {
        Breach::Changed { seq } => format!("deed {seq} is not the one that was sealed there"),
        Breach::Missing { seq } => format!("deed {seq} is gone"),
        Breach::Cut { seq, head } => format!("deeds {seq} to {head} are gone"),
        Breach::Rewritten { head } => format!("the trail was written anew up to deed {head}"),
    }
}

fn encode(record: Record) -> v1::Deed {
    v1::Deed {
        place: u64::try_from(record.seq).unwrap_or_default(),
        done_at: Some(stamp(record.done_at)),
        actor_kind: record.actor_kind,
        actor_id: record.actor_id,
        actor_name: record.actor_name,
        session_id: record.session_id,
        speaks_for: record.speaks_for,
        door: record.door,
        address: record.address,
        action: record.action,
        object: record.object,
        refused: record.outcome == "refused",
        reason: record.reason,
        times: record.times,
        hash: record.hash,
    }
}
