//! Which addresses lie in an allowed origin.

use super::{Origin, Target};

fn sources() -> Vec<Origin> {
    [
        "https://files.example",
        "http://10.0.0.7:8000",
        "http://[fd00::1]:80",
    ]
    .map(|text| text.parse().expect("an origin"))
    .to_vec()
}

#[test]
fn an_origin_is_compared_exactly_and_its_paths_are_free() {
    for (url, path) in [
        ("https://files.example/a/b.yaml?x=1", "/a/b.yaml?x=1"),
        ("https://FILES.example:443/a", "/a"),
        ("HTTPS://files.example", "/"),
        ("http://10.0.0.7:8000/%2e%2e/;x", "/%2e%2e/;x"),
        ("http://[FD00::1]/a", "/a"),
    ] {
        let target = Target::read(url, &sources()).unwrap_or_else(|fault| panic!("{url}: {fault}"));
        assert_eq!(target.path, path, "{url}");
    }
}

#[test]
fn w07_every_other_address_is_refused() {
    for url in [
        "",
        "a.yaml",
        "/etc/passwd",
        "file:///etc/passwd",
        "ftp://files.example/a",
        "gopher://files.example/a",
        "http://files.example/a",
        "https://files.example:8443/a",
        "https://files.example.evil.example/a",
        "https://evil.example/files.example",
        "https://files.example@evil.example/a",
        "https://user:word@files.example/a",
        "https://files.example:/a",
        "https://files.example:0/a",
        "https://files.example.:443/a",
        "http://127.0.0.1:7443/a",
        "http://localhost/a",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.77.0.1/a",
        "http://10.0.0.7/a",
        "http://10.0.0.07:8000/a",
        "http://0xa000007:8000/a",
        "http://167772167:8000/a",
        "http://[::ffff:10.0.0.7]:8000/a",
        "https://files.example/a b",
        "https://files.example\\@evil.example/a",
        "https://files.example\r\nHost: evil.example/a",
    ] {
        let refused = Target::read(url, &sources());
        assert!(refused.is_err(), "{url}: {refused:?}");
    }
    let long = format!("https://files.example/{}", "a".repeat(5000));
    assert!(Target::read(&long, &sources()).is_err());
    assert!(Target::read("https://files.example/a", &[]).is_err());
}

#[test]
fn an_origin_has_no_path_and_no_user() {
    for text in [
        "https://files.example/a",
        "https://files.example?a",
        "https://files.example#a",
        "https://a@files.example",
        "files.example",
        "*",
        "https://",
        "https://files.example:x",
        "ws://files.example",
    ] {
        assert!(text.parse::<Origin>().is_err(), "{text}");
    }
    let origin: Origin = "https://Files.example:443/".parse().expect("an origin");
    assert_eq!(origin.to_string(), "https://files.example");
}
