//! Every spelling of a key, the way around the reserved one, and the one normal form.

use proptest::prelude::{prop_assert_eq, proptest};

use super::{BadKey, Key, Prefix};

fn key(text: &str) -> Result<String, BadKey> {
    Key::parse(text).map(|key| key.to_string())
}

#[test]
fn every_spelling_leads_to_one_key() {
    for spelling in [
        "a/b",
        "/a/b",
        "\\a\\b",
        "//a//b/",
        "a/./b",
        "x/../a/b",
        "../../a/b",
        "a/c/../b",
        "/config/a/b",
        "//config/a/b",
        "\\config\\a\\b",
        "/x/../config/a/b",
        "kv://a/b",
        "kv:///a//b",
        "obj://config/a/b",
        "obj://config//a/b",
    ] {
        assert_eq!(key(spelling), Ok("a/b".to_owned()), "{spelling}");
    }
    assert_eq!(key("config/a"), Ok("config/a".to_owned()));
    assert_eq!(key("/config/config/a"), Ok("config/a".to_owned()));
    assert_eq!(key("kv://config/a"), Ok("config/a".to_owned()));
    let with_colons = "resolver/cache/did:web:a.example/doc";
    assert_eq!(key(with_colons), Ok(with_colons.to_owned()));
}

#[test]
fn the_reserved_key_is_reached_by_no_way() {
    for spelling in [
        "__meta",
        "__meta/revision/a",
        "/__meta/x",
        "\\__meta\\x",
        "t/../__meta/revision/t/j",
        "a/b/../../__meta/x",
        "./__meta",
        "//__meta//x",
        "/config/__meta/x",
        "/config/../__meta/x",
        "kv://__meta/x",
        "kv://a/../__meta/x",
        "obj://config/__meta/x",
        "obj://config/../__meta/x",
    ] {
        assert_eq!(key(spelling), Err(BadKey::Reserved), "{spelling}");
        assert_eq!(Prefix::parse(spelling), Err(BadKey::Reserved), "{spelling}");
    }
    assert!(key("a/__meta").is_ok());
}

#[test]
fn what_is_no_key_is_refused_with_what_is_wrong() {
    for text in [
        "",
        "/",
        ".",
        "..",
        "a/..",
        "//",
        "kv://",
        "/config",
        "obj://config/",
    ] {
        assert_eq!(key(text), Err(BadKey::Empty), "{text:?}");
        assert_eq!(
            Prefix::parse(text).map(|root| root.as_str().to_owned()),
            Ok(String::new())
        );
    }
    for text in [
        "obj://task/ada",
        "obj://a",
        "dfs://a",
        "http://a/b",
        "KV://a",
        "a:/b",
    ] {
        assert_eq!(key(text), Err(BadKey::Scheme), "{text:?}");
    }
    for text in ["a\0b", "a\nb", "\u{7f}", "a\u{85}b"] {
        assert_eq!(key(text), Err(BadKey::Control), "{text:?}");
    }
    let long = "a".repeat(513);
    assert_eq!(key(&long), Err(BadKey::TooLong { bytes: 513 }));
    assert!(key(&long[..512]).is_ok());
    assert_eq!(key(&"/".repeat(5000)), Err(BadKey::TooLong { bytes: 5000 }));
    let deep = vec!["a"; 33].join("/");
    assert_eq!(key(&deep), Err(BadKey::TooDeep { segments: 33 }));
}

proptest! {
    #[test]
    fn a_normal_form_is_its_own_normal_form(text in r#"([a-c_:.%]{0,4}[/\\]{0,2}){0,6}"#) {
        if let Ok(key) = Key::parse(&text) {
            prop_assert_eq!(Key::parse(key.as_str()), Ok(key.clone()));
            let bad = |segment: &str| matches!(segment, "" | "." | "..");
            prop_assert_eq!(key.segments().any(bad), false);
            prop_assert_eq!(key.as_str().starts_with("__meta/"), false);
        }
    }

    #[test]
    fn whatever_the_text_is_reading_it_answers(text in ".*") {
        drop(Key::parse(&text));
        drop(Prefix::parse(&text));
    }
}
