//! 0 -> 1 -> 2 -> 3 and on to the service: two users at once, each with a manifest from an origin that the zone allows.

use std::{fs, path::Path};

use super::{
    Ethers,
    http::{Answer, Upstream, ask, greet, now},
    sessions::{cookie, link},
};
use crate::harness::Zone;

/// A service that answers every request with its own name, what was asked, and the headers that it got.
const ECHO: &str = r#"kind: Process
name: echo
environment: { WHO: "$who" }
health_path: /health
command: |
  exec python3 -c '
  import http.server, os
  class Echo(http.server.BaseHTTPRequestHandler):
      def answer(self):
          length = int(self.headers.get("content-length", 0))
          body = self.rfile.read(length).decode()
          said = os.environ["WHO"] + "\n" + self.requestline + "\n" + str(self.headers) + body
          print(said, flush=True)
          self.send_response(200)
          self.send_header("content-length", str(len(said)))
          self.end_headers()
          self.wfile.write(said.encode())
      do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = answer
  http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Echo).serve_forever()
  '
"#;

/// Serves a manifest for each path.
fn manifests() -> Upstream {
    Upstream::start(|request| {
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path.strip_suffix(".yaml").and_then(|path| path.strip_prefix('/')) {
            Some("broken") => "kind: Pod\ncommand: 7\n".to_owned(),
            Some(who) => ECHO.replace("$who", who),
            None => String::new(),
        }
    })
}

/// What a service of this user has written, wherever their home lies.
fn written_by(folder: &Path, name: &str) -> String {
    let mut found = String::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            found.push_str(&written_by(&path, name));
        } else if path.ends_with(format!("{name}/services/echo.log")) {
            found.push_str(&fs::read_to_string(&path).expect("a log"));
        }
    }
    found
}

fn said(answer: &Answer) -> (u16, &str) {
    (answer.status, answer.body.as_str())
}

#[test]
fn two_wallets_deploy_at_once_and_each_reaches_its_own_service() {
    let manifests = manifests();
    let zone = Zone::builder()
        .config(&format!(
            "[grid]\nmanifest_sources = [\"http://{}\"]\n",
            manifests.address
        ))
        .start();
    let (wire, door) = (zone.wire(), zone.listener("grid.http"));
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let users = [("ada", Ethers::new(41)), ("bob", Ethers::new(42))].map(|(name, wallet)| {
        let bearer = wire
            .sign_in(&wire.create_user(&owner, name, "member"))
            .access_token;
        link(&wire, &bearer, &wallet);
        (name, cookie(&zone, &wallet), wallet)
    });
    let nothing = r#"{"msg":"[Fail] have not deployed before or something went wrong"}"#;
    for (_name, cookie, _wallet) in &users {
        let early = ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
        assert_eq!(said(&early), (400, nothing));
    }
    std::thread::scope(|scope| {
        for (name, cookie, _wallet) in &users {
            let url = format!("http://{}/{name}.yaml", manifests.address);
            scope.spawn(move || {
                let deployed = greet(door, &format!("type=3&input={url}"), cookie);
                assert_eq!(said(&deployed), (200, r#"{"msg":"[ACK] deployed ok"}"#));
            });
        }
    });

    // W08: the cookie alone decides, whatever else a request names. W10: no credential of ours goes along.
    for (name, cookie, _wallet) in &users {
        let lines =
            format!("cookie: {cookie}; own=1\r\nauthorization: Bearer canary\r\nx-soke-user: keeper\r\n");
        for (method, target, body) in [
            ("GET", "/", ""),
            ("GET", "/?user=ada&id=echo", ""),
            ("POST", "/greet", "type=0"),
            ("PUT", "/a;b/%2F/c?x=%20;y", "body"),
        ] {
            let answer = ask(door, method, target, &lines, body);
            assert_eq!(answer.status, 200, "{answer:?}");
            let mut echoed = answer.body.lines();
            assert_eq!(echoed.next(), Some(*name));
            assert_eq!(
                echoed.next(),
                Some(format!("{method} {target} HTTP/1.1").as_str())
            );
            let low = answer.body.to_lowercase();
            assert!(!low.contains("cpuser_") && !low.contains("canary"), "{low}");
            assert!(
                low.contains(&format!("x-soke-user: {name}\n")) && low.contains("cookie: own=1\n"),
                "{low}"
            );
            assert!(answer.body.ends_with(body));
        }
    }
    for (cookie, wanted) in [
        ("", "user is not authorized"),
        ("cpuser_test=x", "user is not authorized"),
    ] {
        let answer = ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
        assert_eq!(answer.status, 400);
        assert!(answer.body.contains(wanted), "{answer:?}");
    }
    // W10: nor does it stand in what the service has written.
    for (name, cookie, _wallet) in &users {
        let secret = cookie.split('=').nth(1).expect("a value");
        let log = written_by(&zone.data(), name);
        assert!(log.contains("GET / HTTP/1.1"), "{log}");
        assert!(!log.contains(secret) && !log.contains("cpuser_"), "{log}");
    }

    // A session that ended gives the same service to the next one of the same wallet.
    let (name, old, wallet) = &users[0];
    let fresh = cookie(&zone, wallet);
    assert_ne!(&fresh, old);
    let again = ask(door, "GET", "/again", &format!("cookie: {fresh}\r\n"), "");
    assert!(again.body.starts_with(name), "{again:?}");
}

#[test]
fn one_wallet_goes_from_step_0_to_its_service_and_steps_that_need_one_before_are_refused_without_it() {
    let manifests = manifests();
    let zone = Zone::builder()
        .config(&format!(
            "[grid]\nmanifest_sources = [\"http://{}\"]\n",
            manifests.address
        ))
        .start();
    let (wire, door) = (zone.wire(), zone.listener("grid.http"));
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let code = wire.create_user(&owner, "ada", "member");
    let ada = wire.sign_in(&code).access_token;
    let wallet = Ethers::new(44);
    let address = wallet.sign("").address;
    let deploy = format!("type=3&input=http://{}/ada.yaml", manifests.address);
    let announce = format!("type=1&input={address}");
    let time = now().to_string();
    let signature = wallet.sign_plain(&time).signature;
    let prove = format!("type=2&input={time}&addr={address}&sig={signature}");
    let not_authorized = r#"{"msg":"[Fail] user is not authorized"}"#;

    assert_eq!(greet(door, "type=0&input=0x1234", "").status, 200);
    assert_eq!(said(&greet(door, &deploy, "")), (400, not_authorized));
    assert_eq!(
        said(&greet(door, &prove, "")),
        (400, r#"{"msg":"[Fail] Failed to verify your account"}"#)
    );
    assert_eq!(greet(door, &announce, "").status, 200);
    let guest = greet(door, &prove, "");
    assert_eq!(said(&guest), (200, r#"{"msg":"[ACK] already authorized"}"#));
    assert_eq!(
        said(&greet(door, &deploy, &guest.cookie())),
        (400, not_authorized)
    );

    // Ada takes the wallet over, and greets from the beginning.
    link(&wire, &ada, &wallet);
    assert_eq!(greet(door, "type=0&input=0x1234", "").status, 200);
    assert_eq!(greet(door, &announce, "").status, 200);
    assert_eq!(said(&greet(door, &deploy, "")), (400, not_authorized));
    let cookie = cookie(&zone, &wallet);
    assert_eq!(
        said(&greet(door, &deploy, &cookie)),
        (200, r#"{"msg":"[ACK] deployed ok"}"#)
    );
    let answer = ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
    assert!(answer.body.starts_with("ada\nGET / HTTP/1.1\n"), "{answer:?}");
}

#[test]
fn w07_a_manifest_comes_from_an_allowed_origin_and_is_one() {
    let (manifests, other) = (manifests(), manifests());
    let zone = Zone::builder()
        .config(&format!(
            "[grid]\nmanifest_sources = [\"http://{}\"]\n",
            manifests.address
        ))
        .start();
    let (wire, door) = (zone.wire(), zone.listener("grid.http"));
    let owner = wire.sign_in(&zone.owner_code()).access_token;
    let wallet = Ethers::new(43);
    link(&wire, &owner, &wallet);
    let cookie = cookie(&zone, &wallet);
    for url in [
        format!("http://{}/ada.yaml", other.address),
        format!("https://{}/ada.yaml", manifests.address),
        format!("http://user@{}/ada.yaml", manifests.address),
        format!("http://localhost:{}/ada.yaml", manifests.address.port()),
        format!("http://{}/broken.yaml", manifests.address),
        format!("http://{}/empty", manifests.address),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[::1]/m.yaml".to_owned(),
        "file:///etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "ada.yaml".to_owned(),
        "javascript:alert(1)".to_owned(),
    ] {
        let refused = greet(door, &format!("type=3&input={url}"), &cookie);
        assert_eq!(refused.status, 500, "{url}: {refused:?}");
        let begins = r#"{"msg":"[Fail] Failed to deploy: "#;
        assert!(
            refused.body.starts_with(begins) && refused.body.len() < 2_000,
            "{url}: {refused:?}"
        );
        assert!(!refused.body.contains("root:"), "{url}: {refused:?}");
    }
    assert!(other.got().is_empty(), "{:?}", other.got());
    let said = ask(door, "GET", "/", &format!("cookie: {cookie}\r\n"), "");
    assert!(said.body.contains("have not deployed before"), "{said:?}");
}
