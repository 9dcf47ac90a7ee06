//! What a call has sent, kept for as long as it may have to be sent again.
//!
//! What it leaves to others: when it is sent again (`retry`, `exchange`).

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame};
use tonic::{Status, body::Body};

use super::exchange::given_up;

/// A request's body, and what was sent of it.
pub(crate) struct Kept(Arc<Mutex<State>>);

struct State {
    body: Body,
    said: VecDeque<Bytes>,
    /// How many bytes those are.
    bytes: usize,
    most: usize,
    /// How many of them the present turn has sent.
    at: usize,
    /// Whether all from the begin is there.
    whole: bool,
    ended: bool,
    turn: u32,
    waker: Option<Waker>,
}

impl Kept {
    /// Keeps at most so many bytes.
    pub(crate) fn new(body: Body, most: usize) -> Self {
        Self(Arc::new(Mutex::new(State {
            body,
            said: VecDeque::new(),
            bytes: 0,
            most,
            at: 0,
            whole: true,
            ended: false,
            turn: 0,
            waker: None,
        })))
    }

    /// The body for a try, from its begin.
    pub(crate) fn turn(&self) -> Turn {
        Turn {
            state: Arc::clone(&self.0),
            turn: lock(&self.0).turn,
        }
    }

    /// Ends the present try's body in an error, if all of it is there for another; else leaves it and gives false.
    pub(crate) fn end_turn(&self) -> bool {
        let mut state = lock(&self.0);
        if state.whole {
            state.turn += 1;
            state.at = 0;
            if let Some(waker) = state.waker.take() {
                waker.wake();
            }
        }
        state.whole
    }

    /// Forgets what was sent: the present try is the last.
    pub(crate) fn forget(&self) {
        let mut state = lock(&self.0);
        state.whole = false;
        let at = std::mem::take(&mut state.at);
        state.said.drain(..at);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if !self.whole
            && let Some(data) = self.said.pop_front()
        {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(data) = self.said.get(self.at) {
            self.at += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
            }
            Some(Err(_)) | None => self.ended = true,
        }
        // What failed by itself fails again.
        self.whole &= !matches!(frame, Some(Err(_)));
        Poll::Ready(frame)
    }

    fn keep(&mut self, data: &Bytes) {
        self.bytes = self.bytes.saturating_add(data.len());
        self.whole &= self.bytes <= self.most;
        if self.whole {
            self.said.push_back(data.clone());
            self.at += 1;
        } else {
            self.said.clear();
            self.at = 0;
        }
    }
}

/// The body of one try.
pub(crate) struct Turn {
    state: Arc<Mutex<State>>,
    turn: u32,
}

impl HttpBody for Turn {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut state = lock(&self.state);
        if state.turn != self.turn {
            return Poll::Ready(Some(Err(given_up())));
        }
        let polled = state.poll_frame(cx);
        if polled.is_pending() {
            state.waker = Some(cx.waker().clone());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = lock(&self.state);
        let drained = state.said.len() <= state.at;
        state.turn == self.turn && drained && (state.ended || state.body.is_end_stream())
    }
}

#[cfg(test)]
mod tests;
