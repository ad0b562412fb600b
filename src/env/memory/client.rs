//! The client's side of the connections, and the one who lets the session run.

use std::cell::RefCell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use super::{Memory, Pipe};
use crate::env::Ending;

/// A client with a session of its own. The session runs whenever the client has done something.
pub struct Client {
    memory: Memory,
    session: Option<Pin<Box<dyn Future<Output = ()>>>>,
    data: Option<Rc<RefCell<Pipe>>>,
}

impl Client {
    /// Start `session`, which is served over `memory` and greets.
    pub fn new(memory: Memory, session: impl Future<Output = ()> + 'static) -> Self {
        let mut client = Self { memory, session: Some(Box::pin(session)), data: None };
        client.run();
        client
    }

    /// Let the session run until it waits.
    pub fn run(&mut self) {
        while let Some(session) = &mut self.session {
            if session.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                self.session = None;
            } else if !std::mem::take(&mut self.memory.0.borrow_mut().yielded) {
                return;
            }
        }
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.session.is_none()
    }

    /// Send octets over the control connection.
    pub fn send(&mut self, octets: &[u8]) {
        self.memory.0.borrow_mut().input.extend_from_slice(octets);
        self.run();
    }

    /// Take what the session has sent.
    pub fn receive(&mut self) -> Vec<u8> {
        self.run();
        std::mem::take(&mut self.memory.0.borrow_mut().output)
    }

    /// Close the control connection.
    pub fn close(&mut self) {
        self.memory.0.borrow_mut().closed = true;
        self.run();
    }

    /// Tell the session to end, as a host does.
    pub fn end(&mut self, ending: Ending) {
        self.memory.0.borrow_mut().ending = Some(ending);
        self.run();
    }

    /// Connect to the newest passive port, if it is `to`; false if nobody listens there.
    pub fn connect(&mut self, to: SocketAddr) -> bool {
        let port = self.memory.0.borrow().port.clone();
        let Some(port) = port.filter(|port| port.borrow().address == to && Rc::strong_count(port) > 2) else {
            return false;
        };
        let pipe = Pipe::new();
        port.borrow_mut().pipe = Some(pipe.clone());
        self.data = Some(pipe);
        self.run();
        true
    }

    /// Listen for data connections from now on, or no more.
    pub fn listen(&mut self, listens: bool) {
        self.memory.0.borrow_mut().listens = listens;
        self.data = None;
    }

    fn data(&mut self) -> Option<Rc<RefCell<Pipe>>> {
        if self.data.is_none() {
            let port = self.memory.0.borrow().port.clone();
            self.data = port.and_then(|port| port.borrow().pipe.clone());
        }
        self.data.clone()
    }

    /// Send octets over the data connection; then end of file, if it is the end. False if there is none.
    pub fn send_data(&mut self, octets: &[u8], end: bool) -> bool {
        let Some(pipe) = self.data() else { return false };
        pipe.borrow_mut().from_client.extend_from_slice(octets);
        pipe.borrow_mut().client_ended |= end;
        self.run();
        true
    }

    /// Take what has come over the data connection, until its end or until nothing more comes. The flag:
    /// it ended in good order.
    pub fn receive_data(&mut self) -> (Vec<u8>, bool) {
        let mut all = Vec::new();
        let Some(pipe) = self.data() else { return (all, false) };
        loop {
            self.run();
            let octets = std::mem::take(&mut pipe.borrow_mut().to_client);
            if octets.is_empty() {
                return (all, pipe.borrow().closed == Some(true));
            }
            all.extend(octets);
        }
    }

    /// Break the data connection.
    pub fn reset_data(&mut self) {
        if let Some(pipe) = self.data() {
            pipe.borrow_mut().reset = true;
        }
        self.run();
    }
}
