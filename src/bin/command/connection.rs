//! Connections, however they end.

use std::ops::Deref;
use std::rc::Rc;

use crate::admission::Admission;
use crate::net::Stream;
use crate::tasks::Tasks;

/// A connection that can be dropped at any time. If its client does not take what was written, it stays for as
/// long as that is so: WASI has no way to break it. It still counts as its client's, and as its session's, then.
pub(crate) struct Connection {
    stream: Rc<Stream>,
    tasks: Rc<Tasks>,
    admission: Rc<Admission>,
    /// Of the connections that its session may have.
    share: Option<Rc<()>>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, tasks: Rc<Tasks>, admission: Rc<Admission>, share: Option<Rc<()>>) -> Self {
        Self { stream: Rc::new(stream), tasks, admission, share }
    }
}

impl Deref for Connection {
    type Target = Stream;

    fn deref(&self) -> &Stream {
        &self.stream
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.stream.output.is_idle() {
            let (stream, counted) = (self.stream.clone(), (self.admission.clone(), self.share.clone()));
            self.tasks.spawn(async move {
                // Whether it was taken or the connection broke, there is nobody to tell.
                let _ = stream.output.flush().await;
                drop(counted);
            });
        }
    }
}
