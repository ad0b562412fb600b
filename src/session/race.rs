//! Waiting for two things at once.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

/// Which of two futures was done.
pub(super) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Wait for either. `first` lives on; `second` is dropped if it loses, and so must be cancel safe.
pub(super) async fn race<A: Future, B: Future>(mut first: Pin<&mut A>, second: B) -> Either<A::Output, B::Output> {
    let mut second = pin!(second);
    poll_fn(|context| {
        if let Poll::Ready(output) = first.as_mut().poll(context) {
            return Poll::Ready(Either::First(output));
        }
        second.as_mut().poll(context).map(Either::Second)
    })
    .await
}
