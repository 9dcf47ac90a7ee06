//! W07: a manifest's address is asked only where the zone allows it, and can neither lead elsewhere nor take long.

use std::{sync::Arc, time::Duration};

use model::ErrorKind;
use services::{DeployFrom, Error, Origin, State};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    sync::Notify,
};

use crate::zone::{Zone, web, zone_with};

/// A web server that gives each caller the same bytes; it notes that somebody came.
struct Server {
    port: u16,
    asked: Arc<Notify>,
}

/// What a server does after its first bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Ends,
    Hangs,
    /// Sends without end.
    Floods,
    /// Sends one byte at a time.
    Drips,
}

impl Server {
    async fn start(first: String, then: Then) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let asked = Arc::new(Notify::new());
        let note = Arc::clone(&asked);
        let tasks = tasks::Tasks::new();
        tasks.spawn("test.server", tasks::Policy::MayEnd, async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                note.notify_one();
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_err() {
                    continue;
                }
                let mut goes_on = stream.write_all(first.as_bytes()).await.is_ok();
                while goes_on && then != Then::Ends {
                    goes_on = match then {
                        Then::Floods => stream.write_all(&[b'#'; 65_536]).await.is_ok(),
                        Then::Drips => {
                            // may sleep: the slowness is what is shown
                            tokio::time::sleep(Duration::from_millis(200)).await;
                            stream.write_all(b"#").await.is_ok()
                        }
                        Then::Hangs | Then::Ends => {
                            stream.read(&mut request).await.is_ok_and(|length| length > 0)
                        }
                    };
                }
            }
        });
        Self { port, asked }
    }

    fn origin(&self) -> Origin {
        format!("http://127.0.0.1:{}", self.port)
            .parse()
            .expect("an origin")
    }

    fn url(&self) -> String {
        format!("{}/web.yaml?x=;%2F", self.origin())
    }
}

fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/yaml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn zone_that_allows(origins: &[Origin]) -> Zone {
    let origins = origins.to_vec();
    zone_with(&["here"], |config| config.manifest_sources = origins).await
}

async fn deploy_from(zone: &Zone, url: &str) -> Result<services::Service, Error> {
    let permit = zone.permit::<DeployFrom>(&zone.ada).await;
    zone.services.deploy_from(permit, url.to_owned()).await
}

#[tokio::test]
async fn a_manifest_is_fetched_from_an_allowed_origin_and_deployed() {
    let server = Server::start(answer(&web("web")), Then::Ends).await;
    let zone = zone_that_allows(&[server.origin()]).await;
    let service = deploy_from(&zone, &server.url()).await.expect("deployed");
    zone.until(&service, |service| service.state == State::Ready)
        .await;
}

#[tokio::test]
async fn w07_what_is_not_allowed_is_not_even_asked() {
    let server = Server::start(answer(&web("web")), Then::Ends).await;
    let zone = zone_that_allows(&["https://files.example".parse().expect("an origin")]).await;
    for url in [
        server.url(),
        format!("http://localhost:{}/web.yaml", server.port),
        format!("http://files.example@127.0.0.1:{}/web.yaml", server.port),
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://10.77.0.1/web.yaml".to_owned(),
    ] {
        let fault = deploy_from(&zone, &url).await.expect_err("refused");
        assert_eq!(fault.kind(), ErrorKind::Invalid, "{url}: {fault}");
    }
    let asked = tokio::time::timeout(Duration::from_millis(200), server.asked.notified()).await;
    assert!(asked.is_err(), "somebody asked");
}

#[tokio::test]
async fn w07_an_allowed_name_that_leads_to_this_machine_is_not_asked() {
    let server = Server::start(answer(&web("web")), Then::Ends).await;
    let origin = format!("http://localhost:{}", server.port);
    let zone = zone_that_allows(&[origin.parse().expect("an origin")]).await;
    let fault = deploy_from(&zone, &format!("{origin}/web.yaml"))
        .await
        .expect_err("refused");
    assert_eq!(fault.kind(), ErrorKind::Invalid);
    assert!(
        fault
            .to_string()
            .contains("leads to an address that is not asked"),
        "{fault}"
    );
    let asked = tokio::time::timeout(Duration::from_millis(200), server.asked.notified()).await;
    assert!(asked.is_err(), "somebody asked");
}

#[tokio::test]
async fn w07_redirects_are_not_followed() {
    let inner = Server::start(answer(&web("web")), Then::Ends).await;
    let moved = format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n",
        inner.url()
    );
    let server = Server::start(moved, Then::Ends).await;
    let zone = zone_that_allows(&[server.origin(), inner.origin()]).await;
    let fault = deploy_from(&zone, &server.url()).await.expect_err("refused");
    assert_eq!(fault.kind(), ErrorKind::Precondition);
    assert!(
        fault.to_string().contains("redirects are not followed"),
        "{fault}"
    );
    let asked = tokio::time::timeout(Duration::from_millis(200), inner.asked.notified()).await;
    assert!(asked.is_err(), "the redirect was followed");
}

#[tokio::test]
async fn w07_a_body_is_at_most_a_mebibyte_whatever_it_says_of_itself() {
    let told = "HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n";
    let untold = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
    for head in [told, untold] {
        let server = Server::start(head.to_owned(), Then::Floods).await;
        let zone = zone_that_allows(&[server.origin()]).await;
        let fault = deploy_from(&zone, &server.url()).await.expect_err("refused");
        assert_eq!(fault.kind(), ErrorKind::Precondition, "{fault}");
        assert!(fault.to_string().contains("more than 1048576 bytes"), "{fault}");
    }
}

#[tokio::test]
async fn w07_a_slow_answer_ends_after_ten_seconds() {
    let drips = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let slow = async |first: &str, then: Then| {
        let server = Server::start(first.to_owned(), then).await;
        let zone = zone_that_allows(&[server.origin()]).await;
        let (clock, begun) = (tasks::Clock::system(), tasks::Clock::system().monotonic());
        let fault = deploy_from(&zone, &server.url()).await.expect_err("refused");
        assert_eq!(fault.kind(), ErrorKind::Deadline, "{fault}");
        let took = clock.monotonic() - begun;
        assert!(took < Duration::from_secs(15), "{took:?}");
    };
    tokio::join!(slow("", Then::Hangs), slow(drips, Then::Drips));
}

#[tokio::test]
async fn w07_only_a_plain_good_text_is_taken() {
    for (first, kind) in [
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Precondition,
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Precondition,
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", ErrorKind::Invalid),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nkind: Pro",
            ErrorKind::Unavailable,
        ),
        ("SSH-2.0-OpenSSH_9\r\n", ErrorKind::Unavailable),
    ] {
        let server = Server::start(first.to_owned(), Then::Ends).await;
        let zone = zone_that_allows(&[server.origin()]).await;
        let fault = deploy_from(&zone, &server.url()).await.expect_err("refused");
        assert_eq!(fault.kind(), kind, "{first}: {fault}");
        assert!(
            !model::chain(&fault).contains("x=;"),
            "the query is nobody's business"
        );
    }
}
