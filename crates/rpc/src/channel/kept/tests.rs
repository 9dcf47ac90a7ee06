//! Bodies that are sent again: whole, from the begin, or not at all.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, task::noop_waker};
use http_body::{Body as HttpBody, Frame};
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, body::Body};

use super::{Kept, Turn};

fn fed() -> (mpsc::Sender<&'static str>, Body) {
    let (feed, pieces) = mpsc::channel(8);
    let frame = |piece: &'static str| Ok::<_, Status>(Frame::data(Bytes::from_static(piece.as_bytes())));
    let pieces = ReceiverStream::new(pieces).map(frame);
    (feed, Body::new(StreamBody::new(pieces)))
}

/// What there is to send now; `None` where one has to wait.
fn next(turn: &mut Turn) -> Option<Option<Result<Bytes, Code>>> {
    let waker = noop_waker();
    match Pin::new(turn).poll_frame(&mut Context::from_waker(&waker)) {
        Poll::Pending => None,
        Poll::Ready(frame) => Some(frame.map(|frame| {
            frame
                .map(|frame| frame.into_data().unwrap())
                .map_err(|status| status.code())
        })),
    }
}

fn piece(text: &'static str) -> Option<Option<Result<Bytes, Code>>> {
    Some(Some(Ok(Bytes::from_static(text.as_bytes()))))
}

#[test]
fn a_body_is_sent_again_from_its_begin_and_then_goes_on() {
    let (feed, body) = fed();
    let kept = Kept::new(body, 100);
    let mut first = kept.turn();
    feed.try_send("one").unwrap();
    feed.try_send("two").unwrap();
    assert_eq!(next(&mut first), piece("one"));
    assert_eq!(next(&mut first), piece("two"));
    assert_eq!(next(&mut first), None);
    assert!(kept.end_turn());
    let mut second = kept.turn();
    assert_eq!(
        next(&mut first),
        Some(Some(Err(Code::Cancelled))),
        "its turn is over"
    );
    feed.try_send("three").unwrap();
    drop(feed);
    assert!(kept.end_turn());
    let mut third = kept.turn();
    assert_eq!(next(&mut second), Some(Some(Err(Code::Cancelled))));
    for text in ["one", "two", "three"] {
        assert!(!third.is_end_stream());
        assert_eq!(next(&mut third), piece(text));
    }
    assert_eq!(next(&mut third), Some(None));
    assert!(third.is_end_stream());
    assert!(kept.end_turn());
    let whole = kept.turn().collect().now_or_never().unwrap();
    assert_eq!(whole.unwrap().to_bytes(), "onetwothree");
}

#[test]
fn what_is_over_the_bound_is_sent_once_only() {
    let (feed, body) = fed();
    let kept = Kept::new(body, 6);
    let mut only = kept.turn();
    for text in ["one", "two", "!", "three"] {
        feed.try_send(text).unwrap();
        assert_eq!(next(&mut only), piece(text));
        assert_eq!(kept_whole(&kept), !matches!(text, "!" | "three"));
    }
    assert!(!kept.end_turn(), "there is no other turn");
    kept.forget();
    feed.try_send("end").unwrap();
    drop(feed);
    assert_eq!(next(&mut only), piece("end"));
    assert_eq!(next(&mut only), Some(None));
}

fn kept_whole(kept: &Kept) -> bool {
    super::lock(&kept.0).whole
}

#[test]
fn what_is_forgotten_is_still_sent_to_its_end() {
    let (feed, body) = fed();
    let kept = Kept::new(body, 100);
    let mut first = kept.turn();
    for text in ["one", "two", "three"] {
        feed.try_send(text).unwrap();
        assert_eq!(next(&mut first), piece(text));
    }
    assert!(kept.end_turn());
    let mut second = kept.turn();
    assert_eq!(next(&mut second), piece("one"));
    kept.forget();
    assert_eq!(next(&mut second), piece("two"));
    assert_eq!(next(&mut second), piece("three"));
    assert_eq!(next(&mut second), None);
    feed.try_send("four").unwrap();
    assert_eq!(next(&mut second), piece("four"));
    drop(feed);
    assert_eq!(next(&mut second), Some(None));
    assert!(!kept.end_turn());
}

#[test]
fn a_body_that_fails_is_not_sent_again() {
    let pieces = futures::stream::iter([
        Ok(Frame::data(Bytes::from_static(b"one"))),
        Err(Status::data_loss("gone")),
    ]);
    let kept = Kept::new(Body::new(StreamBody::new(pieces)), 100);
    let mut first = kept.turn();
    assert_eq!(next(&mut first), piece("one"));
    assert_eq!(next(&mut first), Some(Some(Err(Code::DataLoss))));
    assert!(!kept.end_turn());
}
