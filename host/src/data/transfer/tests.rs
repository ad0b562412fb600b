mod tls;

use std::os::fd::AsFd;
use std::time::Duration;
use std::{fs, io};

use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream};

use wasmtime_wasi_io::streams::OutputStream as _;

use super::super::cache;
use super::super::sending::{LONG_PIECE, Large, PIECE};
use super::super::socket::Output;
use super::*;
use crate::ending::{Activity, Busy};
use crate::socket::Stream;
use crate::storage::{Access, Permissions, Unfinished, Volume};

/// A data connection and its client.
pub(in crate::data) async fn connection() -> (Arc<Socket>, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let stream = Stream::new(stream.into_std().unwrap());
    let busy = Busy::new(&Arc::new(Activity::new()));
    let socket = Socket::new(stream, None, busy, Duration::from_secs(10), Arc::default());
    (Arc::new(socket), client)
}

/// Wait until it is closed in good order.
async fn ended(socket: &Arc<Socket>) {
    while !socket.is_finished() {
        match socket.finish() {
            Err(Error::Pending) => Output(socket.clone()).ready().await,
            finished => finished.unwrap(),
        }
        yield_now().await;
    }
}

fn scratch() -> (tempfile::TempDir, Volume) {
    let root = tempfile::tempdir().unwrap();
    let volume = Volume::open_root(root.path(), Permissions::ALL).unwrap();
    (root, volume)
}

#[tokio::test]
async fn a_range_is_sent_and_no_more() {
    let (root, volume) = scratch();
    let content: Vec<u8> = (0..PIECE as usize * 2 + 100).map(|number| (number % 251) as u8).collect();
    fs::write(root.path().join("f"), &content).unwrap();
    let file = volume.open(b"/f", Access::Read).unwrap();
    let size = content.len() as u64;
    for (offset, length) in [
        (0, u64::MAX),
        (0, size),
        (5, PIECE),
        (5, PIECE + 1),
        (size - 3, 2),
        (size - 3, 10),
        (size, 1),
        (size + 1, u64::MAX),
        (0, 0),
        (u64::MAX, u64::MAX),
    ] {
        let (socket, mut client) = connection().await;
        let mut transfer = Transfer::send(socket.clone(), file.clone(), offset, length, Arc::default());
        let send = async {
            transfer.ready().await;
            ended(&socket).await;
            transfer.finish().unwrap()
        };
        let mut received = Vec::new();
        let (sent, _) = tokio::join!(send, client.read_to_end(&mut received));
        let start = offset.min(size) as usize;
        let end = offset.saturating_add(length).min(size) as usize;
        assert_eq!(sent, (end - start) as u64, "{offset} {length}");
        assert!(received == content[start..end], "{offset} {length}");
    }
}

/// What the client receives, up to the end.
pub(in crate::data) async fn all(client: &mut TcpStream) -> Vec<u8> {
    let mut received = Vec::new();
    client.read_to_end(&mut received).await.unwrap();
    received
}

/// A small file, taken by the connection.
async fn kept(content: &[u8]) -> (Arc<Socket>, TcpStream) {
    let (root, volume) = scratch();
    fs::write(root.path().join("f"), content).unwrap();
    let (socket, client) = connection().await;
    let file = volume.open(b"/f", Access::Read).unwrap();
    let mut transfer = Transfer::send(socket.clone(), file, 0, u64::MAX, Arc::default());
    assert_eq!(transfer.finish().unwrap(), content.len() as u64);
    (socket, client)
}

#[tokio::test]
async fn the_last_octets_leave_with_the_end() {
    let (socket, mut client) = kept(b"small").await;
    assert_eq!(client.try_read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    socket.finish().unwrap();
    assert_eq!(all(&mut client).await, b"small");
}

#[tokio::test]
async fn what_was_written_after_the_clients_end_is_sent() {
    let (socket, mut client) = connection().await;
    client.shutdown().await.unwrap();
    socket.stream.ready(Interest::READABLE).await.unwrap();
    assert_eq!(socket.receive(&mut Vec::with_capacity(1)).unwrap(), 0);
    Output(socket.clone()).write("answer".into()).unwrap();
    socket.finish().unwrap();
    assert_eq!(all(&mut client).await, b"answer");
}

#[tokio::test]
async fn several_large_files_are_sent_by_several_threads() {
    let (root, volume) = scratch();
    let content: Vec<u8> = (0..LONG_PIECE as usize * 3 + 100).map(|number| (number % 251) as u8).collect();
    fs::write(root.path().join("f"), &content).unwrap();
    let file = volume.open(b"/f", Access::Read).unwrap();
    let send = async |socket: Arc<Socket>| {
        let mut transfer = Transfer::send(socket.clone(), file.clone(), 0, u64::MAX, Arc::default());
        let mut elsewhere = false;
        while transfer.result.is_none() {
            transfer.step().await;
            elsewhere |= matches!(&transfer.way, Way::Send(sending) if sending.is_elsewhere());
            yield_now().await;
        }
        ended(&socket).await;
        assert_eq!(transfer.finish().unwrap(), content.len() as u64);
        elsewhere
    };
    let (one, mut first) = connection().await;
    let (elsewhere, received) = tokio::join!(send(one), all(&mut first));
    // Where the kernel cannot tell what is in the page cache, each piece is sent by a thread that may wait.
    let known = cache::holds(file.as_fd(), 0, 1);
    assert!(received == content && elsewhere != known, "alone");
    let ((one, mut first), (two, mut second)) = (connection().await, connection().await);
    let (one, two, first, second) = tokio::join!(send(one), send(two), all(&mut first), all(&mut second));
    assert!(one && two && first == content && second == content);
}

#[tokio::test]
async fn a_large_file_goes_in_full_segments_if_it_is_the_only_one() {
    let (root, volume) = scratch();
    let content = vec![7; LONG_PIECE as usize + 1];
    fs::write(root.path().join("f"), &content).unwrap();
    let file = volume.open(b"/f", Access::Read).unwrap();
    let corked = async || {
        let (socket, mut client) = connection().await;
        let mut transfer = Transfer::send(socket.clone(), file.clone(), 0, u64::MAX, Arc::default());
        let send = async {
            let mut corked = false;
            while transfer.result.is_none() {
                transfer.step().await;
                corked |= sockopt::tcp_cork(&socket.stream).unwrap();
                yield_now().await;
            }
            ended(&socket).await;
            corked
        };
        let (corked, received) = tokio::join!(send, all(&mut client));
        assert!(received == content);
        corked
    };
    // Other tests may be sending one as well.
    let mut tries = 0;
    while !corked().await {
        tries += 1;
        assert!(tries < 100, "alone");
    }
    let _other = Large::new();
    assert!(!corked().await, "in company");
}

#[tokio::test]
async fn nobody_is_told_that_what_was_kept_arrived_when_the_client_is_gone() {
    let (socket, client) = kept(b"small").await;
    client.set_zero_linger().unwrap();
    drop(client);
    while socket.stream.peer_addr().is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(socket.finish(), Err(Error::Broken));
}

#[tokio::test]
async fn an_upload_whose_end_was_seen_is_whole_though_the_client_resets() {
    let (root, volume) = scratch();
    let (socket, mut client) = connection().await;
    let file = volume.open(b"/f", Access::Replace).unwrap();
    let mut transfer = Transfer::receive(socket.clone(), file.clone(), Arc::default());
    client.write_all(b"whole").await.unwrap();
    client.shutdown().await.unwrap();
    transfer.ready().await;
    // What a client's system does that has forgotten a connection it closed.
    client.set_zero_linger().unwrap();
    drop(client);
    while socket.stream.peer_addr().is_ok() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(socket.finish(), Ok(()));
    assert_eq!(transfer.finish().unwrap(), 5);
    file.finish().unwrap();
    assert_eq!(fs::read(root.path().join("f")).unwrap(), b"whole");
}

#[tokio::test]
async fn an_upload_to_a_slow_disk_is_whole() {
    let (root, volume) = scratch();
    let content: Vec<u8> = (0..30_000_000u32).map(|number| (number % 251) as u8).collect();
    let (socket, mut client) = connection().await;
    let file = volume.open(b"/f", Access::Replace).unwrap();
    let mut transfer = Transfer::receive(socket.clone(), file.clone(), Arc::default());
    crate::storage::pace::timed(|| std::thread::sleep(Duration::from_millis(20)));
    let give = async {
        client.write_all(&content).await.unwrap();
        client.shutdown().await.unwrap();
    };
    tokio::join!(transfer.ready(), give);
    assert_eq!(transfer.finish().unwrap(), content.len() as u64);
    file.finish().unwrap();
    assert!(fs::read(root.path().join("f")).unwrap() == content);
}

#[tokio::test]
async fn what_goes_slowly_keeps_nobody_waiting() {
    let (root, volume) = scratch();
    fs::File::create(root.path().join("f")).unwrap().set_len(1 << 30).unwrap();
    let (socket, mut client) = connection().await;
    let file = volume.open(b"/f", Access::Resume(1)).unwrap();
    let mut transfer = Transfer::receive(socket, file.clone(), Arc::default());
    client.write_all(b"octets").await.unwrap();
    client.shutdown().await.unwrap();
    while !matches!(&transfer.way, Way::Receive(receiving) if receiving.is_writing()) {
        assert_eq!(transfer.count(), 0, "written by this thread");
        transfer.step().await;
    }
    transfer.ready().await;
    assert_eq!(transfer.finish().unwrap(), 6);
    assert_eq!(fs::read(root.path().join("f")).unwrap(), b"\0octets");
}

#[tokio::test]
async fn a_stopped_upload_is_gone_before_anybody_looks() {
    let (root, volume) = scratch();
    let volume = volume.with_unfinished(Unfinished::Delete);
    for _ in 0..20 {
        let (socket, mut client) = connection().await;
        // Only a slow disk is written to on another thread, and for a while only.
        crate::storage::pace::timed(|| std::thread::sleep(Duration::from_millis(11)));
        let file = volume.open(b"/f", Access::Replace).unwrap();
        let disk = Arc::new(Mutex::new(()));
        let mut transfer = Transfer::receive(socket, file, disk.clone());
        client.write_all(&vec![1; 100_000]).await.unwrap();
        while !matches!(&transfer.way, Way::Receive(receiving) if receiving.is_writing()) {
            transfer.step().await;
        }
        drop(transfer);
        let _alone = disk.lock().await;
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "a piece on its way to the disk");
    }
}
