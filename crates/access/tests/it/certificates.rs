//! Certificates of users: a session like any other, for whoever shows nothing else.

use access::{Actor, CertificateHolder, Error, Secret, Subject, UserCertificate, session};
use model::{ErrorKind, Span};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P384_SHA384};

use crate::bed::{Bed, Session, peer};

fn request() -> Vec<u8> {
    let key = KeyPair::generate().expect("a key");
    let request = CertificateParams::default().serialize_request(&key);
    request.expect("a request").der().to_vec()
}

fn subject() -> Subject {
    Subject {
        organization: "zone".to_owned(),
        common_name: "somebody".to_owned(),
    }
}

async fn certified(bed: &Bed, session: &Session) -> Result<UserCertificate, Error> {
    let permit = bed.permit::<session::Certify>(session).await?;
    bed.access.certify(&permit, &request(), &subject()).await
}

async fn shown(bed: &Bed, certificate: &UserCertificate) -> Result<Actor, ErrorKind> {
    let holder = bed
        .access
        .authenticate_certificate(&certificate.chain[0], &peer())
        .await;
    match holder {
        Ok(CertificateHolder::User(actor)) => Ok(actor),
        Ok(CertificateHolder::Node(node)) => panic!("a machine: {node:?}"),
        Err(error) => Err(error.kind()),
    }
}

#[tokio::test]
async fn a_certificate_shows_a_session_of_its_own_for_a_year() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let given = certified(&bed, &ada).await.unwrap();
    assert_eq!(given.ends_at - bed.clock.now(), access::YEAR);
    let actor = shown(&bed, &given).await.unwrap();
    assert_eq!(
        actor.user().expect("a user").id,
        ada.actor.user().expect("a user").id
    );
    assert_eq!(actor.user().expect("a user").session, Some(given.session_id));
    assert_ne!(
        actor.user().expect("a user").session,
        ada.actor.user().expect("a user").session
    );
    bed.clock.advance(Span::from_secs(access::YEAR.secs() - 1));
    shown(&bed, &given).await.expect("to its last second");
    bed.clock.advance(Span::from_secs(2));
    assert_eq!(shown(&bed, &given).await, Err(ErrorKind::Unauthenticated));
}

#[tokio::test]
async fn it_ends_with_its_session_and_not_with_the_one_in_which_it_was_asked_for() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let given = certified(&bed, &ada).await.unwrap();
    let amy = bed.user(&ada, "amy", "admin").await;
    let sign_out = bed.permit::<session::SignOut>(&ada).await.unwrap();
    bed.access.sign_out(&sign_out).await.unwrap();
    shown(&bed, &given).await.expect("a session of its own");
    let hers = certified(&bed, &amy).await.unwrap();
    let set = bed.permit::<session::SetPassword>(&amy).await.unwrap();
    let password = Secret::from("a password of some length".to_owned());
    bed.access.set_password(&set, None, &password).await.unwrap();
    assert_eq!(shown(&bed, &hers).await, Err(ErrorKind::Unauthenticated));
}

#[tokio::test]
async fn only_administrators_get_one_and_no_more_than_they_can_use() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let mia = bed.user(&ada, "mia", "member").await;
    assert_eq!(certified(&bed, &mia).await.unwrap_err().kind(), ErrorKind::Denied);
    for _ in 0..32 {
        certified(&bed, &ada).await.unwrap();
    }
    assert_eq!(
        certified(&bed, &ada).await.unwrap_err().kind(),
        ErrorKind::Exhausted
    );
}

#[tokio::test]
async fn a_request_that_cannot_be_used_is_refused() {
    let bed = Bed::new().await;
    let ada = bed.owner().await;
    let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let other = CertificateParams::default()
        .serialize_request(&other)
        .expect("a request");
    for request in [Vec::new(), vec![0x30; 5000], other.der().to_vec()] {
        let permit = bed.permit::<session::Certify>(&ada).await.unwrap();
        let refused = bed.access.certify(&permit, &request, &subject()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[tokio::test]
async fn strangers_are_admitted_nowhere_but_where_it_is_set() {
    let bed = Bed::new().await;
    let name = "stranger".parse().unwrap();
    let refused = bed.access.admit_strangers(&name, &peer()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Denied);
}
