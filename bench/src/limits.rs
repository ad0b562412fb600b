//! What the machine can do at best: bare loops over connections of the same kind.

use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use rustix::net::sockopt;
use rustix::time::ClockId;

use crate::drain;
use crate::plan::Sizes;
use crate::root::BIG;
use crate::scenarios::Figures;

/// A bare loop.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// sendfile(2) of the big file, over so many connections.
    Send(usize),
    /// Receive and write to a file in memory, over so many connections.
    Receive(usize),
}

impl Limit {
    /// For as long as a turn lasts. `root` is the directory that is served.
    pub(crate) fn run(self, root: &Path, sizes: Sizes, time: Duration) -> Result<Figures> {
        let (streams, one): (_, Loop) = match self {
            Self::Send(streams) => (streams, send),
            Self::Receive(streams) => (streams, receive),
        };
        let begun = Instant::now();
        let until = begun + time;
        let done: Vec<Result<(u64, Duration)>> = thread::scope(|scope| {
            let work = |stream| {
                let (mut octets, mut cpu) = (0, Duration::ZERO);
                while octets == 0 || Instant::now() < until {
                    let (more, used) = one(root, sizes, stream, streams)?;
                    octets += more;
                    cpu += used;
                }
                Ok((octets, cpu))
            };
            let working: Vec<_> = (0..streams).map(|stream| scope.spawn(move || work(stream))).collect();
            working.into_iter().map(|work| work.join().unwrap_or_else(|_| Err(anyhow!("a loop failed")))).collect()
        });
        let elapsed = begun.elapsed();
        let (mut octets, mut cpu) = (0, Duration::ZERO);
        for done in done {
            let (more, used) = done?;
            octets += more;
            cpu += used;
        }
        let octets = octets as f64;
        Ok(Figures { value: octets / 1e6 / elapsed.as_secs_f64(), cpu: Some(cpu.as_secs_f64() / (octets / 1e9)) })
    }
}

/// Moves one file, as one of several streams: octets, and processor time.
type Loop = fn(&Path, Sizes, usize, usize) -> Result<(u64, Duration)>;

/// One file down: octets, and the sender's processor time.
fn send(root: &Path, _: Sizes, _: usize, streams: usize) -> Result<(u64, Duration)> {
    let (sender, receiver) = connected()?;
    thread::scope(|scope| {
        let receiving = scope.spawn(move || drain::discard(&receiver));
        let begun = cpu();
        let file = File::open(root.join(BIG))?;
        // One alone goes faster so (tcp(7)); several do not.
        sockopt::set_tcp_cork(&sender, streams == 1)?;
        while rustix::fs::sendfile(&sender, &file, None, 1 << 30)? > 0 {}
        let used = cpu().saturating_sub(begun);
        drop(sender);
        let octets = receiving.join().map_err(|_| anyhow!("no receiver"))??;
        Ok((octets, used))
    })
}

/// One file up: octets, and the receiver's processor time.
fn receive(root: &Path, sizes: Sizes, stream: usize, _: usize) -> Result<(u64, Duration)> {
    let (sender, mut receiver) = connected()?;
    let length = sizes.big / 4;
    thread::scope(|scope| {
        let sending = scope.spawn(move || drain::fill(sender, length));
        let begun = cpu();
        let path = root.join("up").join(format!("limit-{stream}"));
        let file = File::create(&path)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        loop {
            let count = receiver.read(&mut piece)?;
            if count == 0 {
                break;
            }
            file.write_all_at(piece.get(..count).unwrap_or_default(), at)?;
            at += count as u64;
        }
        let used = cpu().saturating_sub(begun);
        sending.join().map_err(|_| anyhow!("no sender"))??;
        std::fs::remove_file(path)?;
        Ok((at, used))
    })
}

fn connected() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let one = TcpStream::connect(listener.local_addr()?)?;
    let (other, _) = listener.accept()?;
    Ok((one, other))
}

/// Processor time of this thread.
fn cpu() -> Duration {
    let time = rustix::time::clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap_or_default(), time.tv_nsec.try_into().unwrap_or_default())
}

/// Octets of one read: as many as Pure-FTPd asks for, which is best here.
const PIECE: usize = 512 * 1024;
