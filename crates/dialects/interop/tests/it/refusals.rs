//! What the test server refuses: sizes that are none, tokens that are not believed, places where it must not stand.

use aws_lc_rs::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use interop::{Account, Error, Parts, start};
use model::ErrorKind;
use rpc::{CallContext, CallCredentials, Channel, ChannelArgs, ChannelCredentials, ListenAddress, Security};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
use serde_json::{Value, json};
use tasks::{Clock, Tasks};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::{Code, Request, Status, metadata::MetadataMap};
use wire::grpc::testing::{
    ResponseParameters, SimpleRequest, StreamingOutputCallRequest, test_service_client::TestServiceClient,
};

use crate::support::{Bed, EMAIL, Mode, account_file};

fn stub(bed: &Bed, token: Option<&str>) -> TestServiceClient<Channel> {
    let mut credentials = ChannelCredentials::insecure();
    if let rpc::Trust::Authority { .. } = &bed.settings.trust {
        credentials = ChannelCredentials::tls(bed.settings.trust.clone());
    }
    if let Some(token) = token {
        credentials = credentials.with(Anywhere(token.to_owned()));
    }
    let channel = Channel::new(&bed.settings.target, &credentials, ChannelArgs::new());
    TestServiceClient::new(channel.unwrap())
}

/// A token that goes over plaintext too, as no good client sends it.
#[derive(Debug)]
struct Anywhere(String);

#[tonic::async_trait]
impl CallCredentials for Anywhere {
    async fn metadata(&self, _call: &CallContext) -> Result<MetadataMap, Status> {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", format!("Bearer {}", self.0).parse().unwrap());
        Ok(metadata)
    }

    fn minimum_security(&self) -> rpc::SecurityLevel {
        rpc::SecurityLevel::None
    }
}

#[tokio::test]
async fn a_size_that_is_none_a_type_that_is_none_and_too_much_are_refused() {
    let bed = Bed::open(Mode::Plain).await;
    for (kind, size, code) in [
        (0, -1, Code::InvalidArgument),
        (7, 1, Code::InvalidArgument),
        (0, i32::MAX, Code::ResourceExhausted),
    ] {
        let asked = SimpleRequest {
            response_type: kind,
            response_size: size,
            ..SimpleRequest::default()
        };
        let status = stub(&bed, None).unary_call(asked).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        let sized = ResponseParameters {
            size,
            ..ResponseParameters::default()
        };
        let asked = StreamingOutputCallRequest {
            response_type: kind,
            response_parameters: vec![sized],
            ..StreamingOutputCallRequest::default()
        };
        let mut answers = stub(&bed, None)
            .streaming_output_call(asked)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(answers.message().await.unwrap_err().code(), code);
    }
}

/// What the issuer says to a request of this head and body.
async fn issuer(bed: &Bed, head: &str, body: &str) -> String {
    let address = bed.settings.machine.clone().unwrap();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let length = body.len();
    let request =
        format!("{head} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\nconnection: close\r\n");
    let request = format!("{request}metadata-flavor: Google\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A token that is good at this server.
async fn good_token(bed: &Bed) -> String {
    let path = "GET /computeMetadata/v1/instance/service-accounts/default/token";
    let answer = issuer(bed, path, "").await;
    let (_, token) = answer.split_once("\"access_token\":\"").unwrap();
    token.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn only_tokens_of_the_account_are_believed_and_only_over_tls() {
    let asked = || {
        Request::new(SimpleRequest {
            fill_username: true,
            ..SimpleRequest::default()
        })
    };
    let other = good_token(&Bed::open(Mode::Plain).await).await;
    for mode in [Mode::Plain, Mode::Tls] {
        let bed = Bed::open(mode).await;
        let good = good_token(&bed).await;
        let (claims, signature) = good.rsplit_once('.').unwrap();
        let cut = format!("{claims}.{}", &signature[4..]);
        for token in ["no-token", "a.b.c", &other, &cut] {
            let status = stub(&bed, Some(token)).unary_call(asked()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unauthenticated, "{status}");
        }
        let answer = stub(&bed, Some(&good)).unary_call(asked()).await;
        match mode {
            Mode::Plain => {
                let status = answer.unwrap_err();
                assert_eq!(status.code(), Code::Unauthenticated);
                assert!(status.message().contains("without TLS"), "{status}");
            }
            Mode::Tls | Mode::Mutual => assert_eq!(answer.unwrap().into_inner().username, EMAIL),
        }
        let nobody = stub(&bed, None).unary_call(asked()).await.unwrap().into_inner();
        assert_eq!(nobody.username, "");
    }
}

/// A token that an account's key has signed, with these claims.
fn signed(account: &str, claims: &Value) -> String {
    let account: Value = serde_json::from_str(account).unwrap();
    let key = account["private_key"].as_str().unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = KeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mut signature = vec![0; key.public_modulus_len()];
    let random = SystemRandom::new();
    key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature)
        .unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_token_is_believed_in_its_time_and_for_this_service_alone() {
    let bed = Bed::open(Mode::Tls).await;
    let now = Clock::system().now().secs();
    let scope = Some("https://www.googleapis.com/auth/xapi.zoo");
    let here = Some("https://foo.test.google.fr/grpc.testing.TestService");
    let elsewhere = Some("https://foo.test.google.fr/other.Service");
    for (from, to, aud, scope, code) in [
        (now, now + 60, None, scope, Code::Ok),
        (i64::MIN, i64::MAX, None, scope, Code::Ok),
        (now - 7200, now - 3600, None, scope, Code::Unauthenticated),
        (now + 3600, now + 7200, None, scope, Code::Unauthenticated),
        (i64::MAX, i64::MIN, None, scope, Code::Unauthenticated),
        (now, now + 60, None, None, Code::Unauthenticated),
        (now, now + 60, here, None, Code::Ok),
        (now, now + 60, elsewhere, scope, Code::Unauthenticated),
    ] {
        let claims =
            json!({ "iss": EMAIL, "sub": EMAIL, "aud": aud, "scope": scope, "iat": from, "exp": to });
        let token = signed(&bed.account, &claims);
        let answer = stub(&bed, Some(&token))
            .unary_call(SimpleRequest::default())
            .await;
        let found = answer.map_or_else(|status| status.code(), |_answer| Code::Ok);
        assert_eq!(found, code, "{claims}");
    }
}

#[tokio::test]
async fn the_issuer_gives_nothing_for_what_proves_nothing() {
    let bed = Bed::open(Mode::Tls).await;
    let granted = good_token(&bed).await;
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    for (head, body, status) in [
        ("POST /token", String::new(), "400"),
        ("POST /token", format!("{grant}&assertion=a.b.c"), "400"),
        // An access token is no assertion: it is for nobody's issuer.
        ("POST /token", format!("{grant}&assertion={granted}"), "400"),
        (
            "POST /token",
            format!("{grant}&assertion={}", "x".repeat(20_000)),
            "400",
        ),
        ("GET /token", String::new(), "404"),
        ("GET /", String::new(), "404"),
    ] {
        let answer = issuer(&bed, head, &body).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")),
            "{head}: {answer}"
        );
        assert!(!answer.contains("access_token"), "{answer}");
    }
}

#[tokio::test]
async fn the_server_and_its_issuer_stay_on_this_machine_without_encryption() {
    let everywhere: ListenAddress = "0.0.0.0:0".parse().unwrap();
    let account = Account::from_json(&account_file("127.0.0.1:1")).unwrap();
    let open = async |address, issuer, account| {
        start(Parts {
            address,
            security: Security::Plain,
            insecure: false,
            account,
            issuer,
            tasks: Tasks::new(),
        })
        .await
    };
    let here = ListenAddress::loopback(0);
    for (address, issuer) in [(everywhere, None), (here, Some(everywhere))] {
        let refused = open(address, issuer, Some(account.clone())).await.unwrap_err();
        assert!(matches!(refused, Error::Plaintext { .. }), "{refused}");
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }
    let refused = open(here, Some(here), None).await.unwrap_err();
    assert!(matches!(refused, Error::Needs { .. }), "{refused}");
}

#[test]
fn a_key_file_that_is_none_is_refused_without_showing_it() {
    let good = account_file("127.0.0.1:1");
    for text in ["", "{}", &good.replace("BEGIN", "B"), &good.replace("MII", "MIX")] {
        let fault = Account::from_json(text).unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::Invalid);
        assert!(fault.to_string().len() < 160, "{fault}");
    }
    let account = format!("{:?}", Account::from_json(&good).unwrap());
    assert!(!account.contains("MII"), "{account}");
}
