//! Values come back as they went in, and as nothing else.

use model::{JobId, Money, Name, Span, Timestamp};
use proptest::prelude::{any, proptest};

use super::{FromValue, Row, Value};

fn back<T: FromValue>(value: impl Into<Value>) -> Option<T> {
    T::from_value(&value.into())
}

proptest! {
    #[test]
    fn integers_texts_and_booleans_come_back(int in any::<i64>(), small in any::<u32>(), text in any::<String>(), yes in any::<bool>()) {
        assert_eq!(back::<i64>(int), Some(int));
        assert_eq!(back::<u32>(small), Some(small));
        assert_eq!(back::<String>(text.as_str()), Some(text.clone()));
        assert_eq!(back::<bool>(yes), Some(yes));
        assert_eq!(back::<Option<i64>>(Some(int)), Some(Some(int)));
    }
}

#[test]
fn the_zones_own_words_come_back() {
    let now = Timestamp::from_micros(1_700_000_000_000_001);
    let id = JobId::fresh(now);
    let name = Name::imported("Ada.L").expect("a good name");
    assert_eq!(back::<Timestamp>(now), Some(now));
    assert_eq!(back::<JobId>(id), Some(id));
    assert_eq!(back::<Name>(&name), Some(name));
    assert_eq!(back::<Span>(Span::from_secs(3)), Some(Span::from_secs(3)));
    assert_eq!(
        back::<Money>(Money::from_ten_thousandths(-1)),
        Some(Money::from_ten_thousandths(-1))
    );
}

#[test]
fn what_does_not_fit_is_refused() {
    assert_eq!(back::<u32>(-1_i64), None);
    assert_eq!(back::<u32>(1_i64 << 32), None);
    assert_eq!(back::<bool>(2_i64), None);
    assert_eq!(back::<i64>("1"), None);
    assert_eq!(back::<JobId>("not an id"), None);
    assert_eq!(back::<String>(None::<String>), None);
    assert_eq!(back::<Option<String>>(None::<String>), Some(None));
}

#[test]
fn a_wrong_column_says_what_was_wanted_and_never_the_value() {
    let row = Row::new(vec![Value::from("a secret")]);
    let error = row.get::<i64>(0).expect_err("a text is no integer").to_string();
    assert_eq!(error, "read column 0: want an integer, found a text");
    let error = row.get::<i64>(1).expect_err("there is one column").to_string();
    assert_eq!(error, "read column 1: want an integer, found a row of 1 columns");
}
