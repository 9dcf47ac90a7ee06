//! Every case of our client passes at our server.

use interop::{Case, Error};

use crate::support::{Bed, Mode};

/// The cases that need tokens, which do not go over plaintext.
pub(crate) const WITH_TOKENS: &[Case] = &[
    Case::ComputeEngineCreds,
    Case::ServiceAccountCreds,
    Case::JwtTokenCreds,
    Case::Oauth2AuthToken,
    Case::PerRpcCreds,
    Case::GoogleDefaultCredentials,
    Case::ComputeEngineChannelCredentials,
];

async fn all(mode: Mode) {
    let bed = Bed::open(mode).await;
    let mut failures = Vec::new();
    for case in Case::ALL {
        if mode == Mode::Plain && WITH_TOKENS.contains(case) {
            continue;
        }
        if let Err(fault) = case.run(&bed.settings).await {
            failures.push(format!("{case}: {}", model::chain(&fault)));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test]
async fn every_case_without_tokens_passes_in_plaintext() {
    all(Mode::Plain).await;
}

#[tokio::test]
async fn every_case_passes_over_tls() {
    all(Mode::Tls).await;
}

#[tokio::test]
async fn every_case_passes_where_both_sides_show_certificates() {
    all(Mode::Mutual).await;
}

#[tokio::test]
async fn a_case_with_tokens_does_not_run_in_plaintext() {
    let bed = Bed::open(Mode::Plain).await;
    for case in WITH_TOKENS {
        match case.run(&bed.settings).await {
            Err(Error::Needs {
                what: "--use_tls=true",
            }) => {}
            // It has sent its token by call, and the channel has refused that.
            Err(Error::Call { source, .. }) => assert_eq!(source.code(), tonic::Code::Unauthenticated),
            other => panic!("{case}: {other:?}"),
        }
    }
}

#[test]
fn cases_have_their_official_names_and_another_is_refused_with_all_of_them() {
    for case in Case::ALL {
        assert_eq!(case.name().parse::<Case>().unwrap(), *case);
    }
    let fault = "orca_per_rpc".parse::<Case>().unwrap_err().to_string();
    assert!(
        fault.contains("`orca_per_rpc` is not known") && fault.contains("ping_pong"),
        "{fault}"
    );
}
