//! The proxy over real sockets: what reaches a service, what comes back, and when it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gateway::proxy::Limits;
use testbed::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};

use crate::{
    proxy_bed::{Bed, Line, USERS, always, asks},
    support::SOON,
};

const HELLO: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

#[tokio::test]
async fn any_method_and_target_reaches_the_service_byte_for_byte() {
    let bed = Bed::open(|line| always(line, HELLO)).await;
    for (method, target) in [
        ("GET", "/"),
        ("POST", "/greet"),
        ("PUT", "/a;b=c/%2F%2e%2E/.././/x//?q=1;2&&a=%20+?"),
        ("DELETE", "//"),
        ("PATCH", "/?"),
        ("OPTIONS", "/x?"),
        ("OPTIONS", "*"),
        ("PROPFIND", "/a\\b"),
        ("M-SEARCH", "/greet/"),
        ("TRACE", "/%00"),
    ] {
        let answer = bed.send(&asks(method, target, "")).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "hello"),
            "{method} {target}"
        );
        let head = bed.service.heads().pop().unwrap();
        assert!(
            head.starts_with(&format!("{method} {target} HTTP/1.1\r\n")),
            "{head}"
        );
    }
    let absolute = bed.send(&asks("GET", "http://zone.example//a;b?c", "")).await;
    assert_eq!(absolute.status, 200);
    assert!(
        bed.service
            .heads()
            .pop()
            .unwrap()
            .starts_with("GET //a;b?c HTTP/1.1\r\n")
    );
    let head = bed.send(&asks("HEAD", "/", "")).await;
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("5"), 0)
    );
}

#[tokio::test]
async fn w10_our_credentials_reach_neither_the_service_nor_an_error_page() {
    let bed = Bed::open(|line| always(line, HELLO)).await;
    let bearer = "GET / HTTP/1.1\r\nhost: zone.example\r\nauthorization: Bearer canary-ada\r\n\
                  connection: close\r\n\r\n";
    for request in [
        asks("GET", "/", ""),
        asks("GET", "/", "authorization: Bearer canary-ada\r\n"),
        bearer.to_owned(),
    ] {
        assert_eq!(bed.send(&request).await.status, 200);
        let head = bed.service.heads().pop().unwrap();
        assert!(!head.contains("canary"), "{head}");
        assert!(head.contains("x-soke-user: user0\r\n"), "{head}");
    }
    assert!(bed.service.heads()[0].contains("cookie: a=b; c=d\r\n"));
    let basic = bed.send(&asks("GET", "/", "authorization: Basic YTpi\r\n")).await;
    assert_eq!(basic.status, 200);
    assert!(
        bed.service
            .heads()
            .pop()
            .unwrap()
            .contains("authorization: Basic YTpi\r\n")
    );
    let gone = Bed::open(async |line: Line| drop(line)).await;
    let page = gone.send(&asks("GET", "/", "")).await;
    assert_eq!(
        (page.status, page.text().as_str()),
        (400, "the service cannot be reached")
    );
    assert!(!page.headers.concat().contains("canary"));
}

#[tokio::test]
async fn g01_a_request_with_two_readings_is_refused_and_the_service_sees_nothing() {
    let bed = Bed::open(|line| always(line, HELLO)).await;
    for more in [
        "content-length: 5\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        "content-length: 5\r\ncontent-length: 5\r\n",
        "content-length: +5\r\n",
        "content-length: 5\nx: y\r\n",
        "transfer-encoding: gzip, chunked\r\n",
        "x: y\r\n z\r\n",
        "transfer-encoding : chunked\r\n",
    ] {
        let request = asks("POST", "/", more) + "hello";
        let answer = bed.send(&request).await;
        assert_eq!(answer.status, 400, "{more:?}");
    }
    let old = asks("POST", "/", "transfer-encoding: chunked\r\n").replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(bed.send(&(old + "0\r\n\r\n")).await.status, 400);
    assert_eq!(bed.send(&asks("GET", "/a#b", "")).await.status, 400);
    assert_eq!(bed.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.status, 400);
    assert_eq!((bed.service.connections(), bed.asked()), (0, 0));
}

#[tokio::test]
async fn g01_a_body_of_bad_chunks_is_never_a_whole_one() {
    let bed = Bed::open(async |mut line: Line| {
        line.head().await;
        let body = line.rest(SOON).await;
        assert!(
            !body.ends_with(b"0\r\n\r\n"),
            "{}",
            String::from_utf8_lossy(&body)
        );
    })
    .await;
    for chunks in [
        "5;a=b\r\nhello\r\n0\r\n\r\n",
        "5\r\nhelloX\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "x\r\n",
    ] {
        let request = asks("POST", "/", "transfer-encoding: chunked\r\n") + chunks;
        let answer = bed.send(&request).await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, "the request can be read in two ways"),
            "{chunks:?}"
        );
    }
}

#[tokio::test]
async fn g04_connect_and_strange_hosts_and_foreign_pages_are_refused() {
    let bed = Bed::open(|line| always(line, HELLO)).await;
    for (request, text) in [
        (
            asks("CONNECT", "zone.example:80", ""),
            "CONNECT is not served here",
        ),
        (
            asks("GET", "/", "").replace("zone.example", "evil.example"),
            "this host is not served here",
        ),
        (
            asks("GET", "http://evil.example/", ""),
            "the request names no host, or no sound one",
        ),
        (
            asks("GET", "/", "host: zone.example\r\n"),
            "the request names no host, or no sound one",
        ),
        (
            asks("POST", "/", "origin: http://evil.example\r\n"),
            "pages of other sites may not call this one",
        ),
        (
            asks("DELETE", "/", "origin: null\r\n"),
            "pages of other sites may not call this one",
        ),
    ] {
        let answer = bed.send(&request).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, text), "{request}");
    }
    assert_eq!((bed.service.connections(), bed.asked()), (0, 0));
    let own = bed
        .send(&asks("POST", "/", "origin: http://zone.example\r\n"))
        .await;
    assert_eq!(own.status, 200);
}

#[tokio::test]
async fn bodies_stream_both_ways_at_once() {
    let bed = Bed::open(async |mut line: Line| {
        line.head().await;
        line.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        while let Some(chunk) = line.until("!\r\n").await {
            let word = chunk.split_once("\r\n").unwrap().1;
            line.write(format!("{:x}\r\n{word}\r\n", word.len()).as_bytes())
                .await;
        }
    })
    .await;
    let mut client = bed
        .begin(&asks("POST", "/", "transfer-encoding: chunked\r\n"))
        .await;
    assert!(
        client
            .until("\r\n\r\n")
            .await
            .unwrap()
            .starts_with("HTTP/1.1 200")
    );
    for word in ["one!", "two!", "three!"] {
        client
            .write(format!("{:x}\r\n{word}\r\n", word.len()).as_bytes())
            .await;
        assert!(client.until("!\r\n").await.unwrap().contains(word));
    }
}

#[tokio::test]
async fn a_side_that_does_not_read_stops_the_other() {
    let bed = Bed::open(async |mut line: Line| {
        let head = line.head().await.unwrap();
        if head.starts_with("POST") {
            // may sleep: nothing is to be read here, for as long as the test runs
            tokio::time::sleep(SOON).await;
            return;
        }
        line.write(b"HTTP/1.1 200 OK\r\n\r\n").await;
        let block = vec![b'x'; 65_536];
        let mut sent = 0;
        while let Ok(Ok(())) = timeout(Duration::from_secs(1), line.tcp.write_all(&block)).await {
            sent += block.len();
            assert!(sent < 64 << 20, "nobody reads, and it goes on");
        }
    })
    .await;
    let client = bed.begin(&asks("GET", "/", "")).await;
    let begun = Instant::now();
    let mut upload = bed
        .begin(&asks("POST", "/", "content-length: 1000000000\r\n"))
        .await;
    let block = vec![b'x'; 65_536];
    let mut sent = 0;
    while let Ok(Ok(())) = timeout(Duration::from_secs(1), upload.tcp.write_all(&block)).await {
        sent += block.len();
        assert!(sent < 64 << 20, "nobody reads, and it goes on");
    }
    assert!(begun.elapsed() < SOON);
    drop(client);
}

#[tokio::test]
async fn g10_a_client_that_never_reads_and_a_service_that_never_speaks_are_let_go() {
    let limits = Limits {
        answer_silence: Duration::from_millis(200),
        ..Limits::default()
    };
    let ended = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&ended);
    let bed = Bed::with(limits, move |mut line: Line| {
        let count = Arc::clone(&count);
        async move {
            let head = line.head().await.unwrap();
            line.write(b"HTTP/1.1 200 OK\r\n\r\ntick").await;
            let block = vec![b'x'; 65_536];
            while head.starts_with("GET /flood") && line.tcp.write_all(&block).await.is_ok() {}
            line.rest(SOON).await;
            count.fetch_add(1, Ordering::SeqCst);
        }
    })
    .await;
    let unread = bed.begin(&asks("GET", "/flood", "")).await;
    let mut silent = bed.begin(&asks("GET", "/silent", "")).await;
    silent.until("tick").await.unwrap();
    assert!(eventually(SOON, async || ended.load(Ordering::SeqCst) == 2).await);
    drop(unread);
}

#[tokio::test]
async fn what_is_open_ends_when_the_right_ends_and_never_looks_whole() {
    let bed = Bed::open(async |mut line: Line| {
        line.head().await;
        line.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\ntick\r\n")
            .await;
        line.rest(SOON).await;
        line.head().await;
    })
    .await;
    let mut client = bed.begin(&asks("GET", "/", "")).await;
    let mut upload = bed.begin(&asks("POST", "/", "content-length: 9\r\n")).await;
    client.until("tick\r\n").await.unwrap();
    upload.until("tick\r\n").await.unwrap();
    let begun = Instant::now();
    bed.revoke();
    assert_eq!(client.rest(Duration::from_secs(5)).await, b"");
    assert_eq!(upload.rest(Duration::from_secs(5)).await, b"");
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let late = bed.send(&asks("GET", "/", "")).await;
    assert_eq!(
        (late.status, late.text().as_str()),
        (400, "the session has ended")
    );
}

#[tokio::test]
async fn a_wait_for_an_answer_ends_when_the_right_ends() {
    let bed = Bed::open(async |mut line: Line| drop(line.rest(SOON).await)).await;
    let mut client = bed.begin(&asks("GET", "/", "")).await;
    assert!(eventually(SOON, async || bed.service.connections() == 1).await);
    bed.revoke();
    let answer = String::from_utf8(client.rest(Duration::from_secs(5)).await).unwrap();
    assert!(answer.ends_with("the session has ended"), "{answer}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_never_looks_whole() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhell"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhell\r\nx\r\n",
    ] {
        let bed = Bed::open(async |mut line: Line| {
            line.head().await;
            line.write(answer).await;
        })
        .await;
        let mut client = bed.begin(&asks("GET", "/", "")).await;
        let said = String::from_utf8(client.rest(SOON).await).unwrap();
        assert!(said.contains("hell"), "{said}");
        assert!(
            said.contains("content-length: 9") || !said.ends_with("0\r\n\r\n"),
            "{said}"
        );
    }
}

#[tokio::test]
async fn what_is_no_answer_and_what_takes_too_long_is_said() {
    let quick = Limits {
        answer: Duration::from_millis(100),
        connect: Duration::from_millis(100),
        ..Limits::default()
    };
    for (answer, text) in [
        (
            &b"SSH-2.0-nothing\r\n\r\n"[..],
            "the service answers with something that is no HTTP",
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "the service answers with something that is no HTTP",
        ),
        (
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
            "the service answers with something that is no HTTP",
        ),
        (b"", "the service did not answer in time"),
    ] {
        let bed = Bed::with(quick.clone(), async |mut line: Line| {
            line.head().await;
            line.write(answer).await;
            line.rest(SOON).await;
        })
        .await;
        let said = bed.send(&asks("GET", "/", "")).await;
        assert_eq!((said.status, said.text().as_str()), (400, text));
    }
}

#[tokio::test]
async fn g03_a_connection_serves_again_only_where_nothing_can_be_left_on_it() {
    let bed = Bed::open(|line| always(line, HELLO)).await;
    for _ in 0..3 {
        assert_eq!(bed.send(&asks("GET", "/", "")).await.text(), "hello");
    }
    assert_eq!(bed.service.connections(), 1, "reads go over one connection");
    let other = asks("GET", "/", "").replace(USERS[0], USERS[1]);
    assert_eq!(bed.send(&other).await.text(), "hello");
    assert_eq!(bed.service.connections(), 2, "another user never gets it");
    // This service leaves the body where it is: it would read it as the next request.
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    let more = format!("content-length: {}\r\n", smuggled.len());
    let begun = asks("POST", "/", &more) + smuggled;
    for _ in 0..3 {
        assert_eq!(bed.send(&begun).await.text(), "hello");
        assert_eq!(bed.send(&asks("GET", "/", "")).await.text(), "hello");
    }
    assert!(bed.service.connections() >= 5, "none served after a body");
}

#[tokio::test]
async fn a_kept_connection_that_the_service_closed_costs_no_request() {
    let bed = Bed::open(async |mut line: Line| {
        line.head().await;
        line.write(HELLO.as_bytes()).await;
        // The next one comes over this connection, and is not answered.
        line.head().await;
    })
    .await;
    for _ in 0..5 {
        assert_eq!(bed.send(&asks("GET", "/", "")).await.text(), "hello");
    }
}

#[tokio::test]
async fn g04_no_answer_reaches_another_user_whoever_breaks_off() {
    let bed = Bed::open(async |mut line: Line| {
        while let Some(head) = line.head().await {
            let user = head
                .split_once("x-soke-user: ")
                .unwrap()
                .1
                .lines()
                .next()
                .unwrap();
            let target = head.split(' ').nth(1).unwrap();
            let body = format!("{user} {target}");
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let (first, second) = answer.split_at(answer.len() / 2);
            line.write(first.as_bytes()).await;
            tokio::task::yield_now().await;
            line.write(second.as_bytes()).await;
        }
    })
    .await;
    let one = async |number: usize| {
        let user = number % 2;
        let target = format!("/{number}");
        let request = asks("GET", &target, "").replace(USERS[0], USERS[user]);
        if number % 7 == 3 {
            let mut client = bed.begin(&request).await;
            let mut some = [0; 20];
            if number % 14 == 3 {
                drop(client.tcp.read(&mut some).await);
            }
            return;
        }
        let answer = bed.send(&request).await;
        assert_eq!(answer.text(), format!("user{user} {target}"));
    };
    for round in 0..40 {
        futures::future::join_all((0..50).map(|number| one(round * 50 + number))).await;
    }
}

#[tokio::test]
async fn too_many_requests_of_one_user_leave_room_for_another() {
    let limits = Limits {
        requests_of_a_user: 2,
        ..Limits::default()
    };
    let bed = Bed::with(limits, async |mut line: Line| {
        line.head().await;
        line.write(b"HTTP/1.1 200 OK\r\n\r\ntick").await;
        line.rest(SOON).await;
    })
    .await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = bed.begin(&asks("GET", "/", "")).await;
        client.until("tick").await.unwrap();
        open.push(client);
    }
    let third = bed.send(&asks("GET", "/", "")).await;
    assert_eq!(
        (third.status, third.text().as_str()),
        (400, "too many requests are on their way: try again later")
    );
    let mut other = bed.begin(&asks("GET", "/", "").replace(USERS[0], USERS[1])).await;
    other.until("tick").await.unwrap();
    drop(open);
    let free = eventually(SOON, async || {
        let mut client = bed.begin(&asks("GET", "/", "")).await;
        client.until("tick").await.is_some()
    });
    assert!(free.await);
}

#[tokio::test]
async fn answers_without_a_body_keep_their_framing() {
    for (answer, status, length) in [
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, None),
        (
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\netag: x\r\n\r\n",
            304,
            None,
        ),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://zone.example/x\r\ncontent-length: 0\r\n\r\n",
            302,
            Some("0"),
        ),
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            200,
            Some("0"),
        ),
    ] {
        let bed = Bed::open(move |line| always(line, answer)).await;
        for _ in 0..2 {
            let said = bed.send(&asks("GET", "/", "")).await;
            assert_eq!(
                (said.status, said.header("content-length")),
                (status, length),
                "{answer}"
            );
            assert!(said.body.is_empty());
        }
        assert_eq!(bed.service.connections(), 1, "{answer}");
    }
}

const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: zone.example\r\ncookie: ours_canary-ada=canary-ada\r\n\
    connection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\nsec-websocket-key: key\r\nsec-websocket-version: 13\r\n";

async fn chat(mut line: Line) {
    let Some(head) = line.head().await else { return };
    assert!(
        head.contains("upgrade: websocket\r\n") && head.contains("connection: upgrade\r\n"),
        "{head}"
    );
    assert!(
        head.contains("sec-websocket-key: key\r\n") && !head.contains("canary"),
        "{head}"
    );
    line.write(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
          sec-websocket-accept: yes\r\n\r\nfirst",
    )
    .await;
    while let Some(word) = line.until("!").await {
        line.write(word.as_bytes()).await;
    }
}

#[tokio::test]
async fn g12_a_websocket_passes_for_its_user_only_and_ends_with_the_right() {
    let bed = Bed::open(chat).await;
    for (request, text) in [
        (
            format!("{UPGRADE}connection: close\r\n\r\n").replace("ours_", "x"),
            "no session",
        ),
        (
            format!("{UPGRADE}connection: close\r\norigin: http://evil.example\r\n\r\n"),
            "pages of other sites may not call this one",
        ),
    ] {
        let answer = bed.send(&request).await;
        assert_eq!((answer.status, answer.text().as_str()), (400, text));
    }
    assert_eq!(bed.service.connections(), 0);
    let mut client = bed
        .begin(&format!("{UPGRADE}origin: http://zone.example\r\n\r\n"))
        .await;
    let head = client.until("\r\n\r\n").await.unwrap();
    assert!(
        head.starts_with("HTTP/1.1 101") && head.contains("sec-websocket-accept: yes"),
        "{head}"
    );
    client.until("first").await.unwrap();
    for word in ["one!", "\0\u{1}\n\n!", "GET / HTTP/1.1\r\n\r\n!"] {
        client.write(word.as_bytes()).await;
        assert_eq!(client.until("!").await.unwrap(), word);
    }
    bed.revoke();
    assert_eq!(client.rest(Duration::from_secs(5)).await, b"");
}

#[tokio::test]
async fn g02_bytes_before_the_upgrade_is_granted_are_not_forwarded() {
    let bed = Bed::open(chat).await;
    for early in ["early!", "GET /smuggled HTTP/1.1\r\nhost: zone.example\r\n\r\n"] {
        let mut client = bed.begin(&format!("{UPGRADE}\r\n{early}")).await;
        let said = String::from_utf8(client.rest(SOON).await).unwrap();
        assert!(said.starts_with("HTTP/1.1 400"), "{said}");
    }
    assert!(bed.service.heads().iter().all(|head| !head.contains("smuggled")));
}

#[tokio::test]
async fn the_client_that_goes_ends_what_it_asked_for() {
    let bed = Bed::open(async |mut line: Line| {
        line.head().await;
        line.write(b"HTTP/1.1 200 OK\r\n\r\ntick").await;
        line.rest(SOON).await;
        line.head().await;
    })
    .await;
    let mut client = bed.begin(&asks("GET", "/", "")).await;
    client.until("tick").await.unwrap();
    client.tcp.shutdown().await.unwrap();
    drop(client);
    assert_eq!(bed.service.connections(), 1);
}
