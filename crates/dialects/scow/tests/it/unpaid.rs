//! Jobs that nobody pays for, as SCOW's pages are told of them.

use tonic::Code;
use wire::scow::portal::SubmitJobRequest;

use crate::zone::{Refusal, Zone, bearing, refusal};

/// As where sbatch fails: the pages show the sentence, and look for no trailer.
#[tokio::test]
async fn a_job_that_nobody_pays_for_is_refused_with_the_sentence_alone() {
    let zone = Zone::new().await;
    for account in ["missing", "several", "blocked"] {
        let message = SubmitJobRequest {
            user_id: "ada".to_owned(),
            cluster: "local".to_owned(),
            job_name: account.to_owned(),
            node_count: 1,
            core_count: 1,
            max_time: 1,
            command: "true".to_owned(),
            account: account.to_owned(),
            ..SubmitJobRequest::default()
        };
        let refused = zone.jobs().submit_job(bearing(&zone.ada, message)).await;
        let status = refused.as_ref().expect_err("refused");
        assert_eq!(status.message(), format!("submit job: not for `{account}`"));
        assert_eq!(refusal(refused), Refusal::of(Code::Internal));
    }
}
