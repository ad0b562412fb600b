use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, sleep, spawn};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::time::timeout;

use super::*;
use crate::config::{Identities, IdentityFiles};
use crate::tls::Tls;

/// Kernels that have TLS are few where this is built: `tests/kernel-tls` runs this under one.
#[tokio::test]
async fn whoever_encrypts() {
    use CipherSuite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256};
    let (root, volume) = scratch();
    // More than the system takes before the client reads.
    let content: Vec<u8> = (0..(20 << 20) + 100_u32).map(|number| (number % 251) as u8).collect();
    fs::write(root.path().join("f"), &content).unwrap();
    let (tls, certificate) = server(root.path());
    for suite in [TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384, TLS13_CHACHA20_POLY1305_SHA256] {
        for offset in [0, content.len() - (1 << 20), content.len() - 1000] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = client(listener.local_addr().unwrap().port(), suite, certificate.clone(), None);
            let mut socket = accept(&listener, &tls).await;
            let length = content.len() - offset;
            socket.hand_over(|| length as u64);
            let ulps = fs::read_to_string("/proc/sys/net/ipv4/tcp_available_ulp").unwrap_or_default();
            let by_kernel = ulps.contains("tls") && length >= 1 << 20 && suite != TLS13_CHACHA20_POLY1305_SHA256;
            assert_eq!(socket.protected(), !by_kernel, "{suite:?}, {length}");
            if by_kernel {
                let received = socket.receive(&mut Vec::with_capacity(1));
                assert_eq!(received.unwrap_err().kind(), io::ErrorKind::Unsupported);
            }

            let socket = Arc::new(socket);
            let file = volume.open(b"/f", Access::Read).unwrap();
            let mut transfer = Transfer::send(socket.clone(), file, offset as u64, u64::MAX, Arc::default());
            transfer.ready().await;
            assert_eq!(transfer.finish().unwrap(), length as u64);
            drop(transfer);
            ended(&socket).await;
            drop(socket);
            assert!(client.join().unwrap() == content[offset..], "{suite:?}, {length}");
        }
    }
}

#[tokio::test]
async fn a_client_that_stops_keeps_nobody() {
    let (root, volume) = scratch();
    let content: Vec<u8> = (0..16_u32 << 20).map(|number| (number % 251) as u8).collect();
    fs::write(root.path().join("f"), &content).unwrap();
    let (tls, certificate) = server(root.path());
    // What of the file is in the network meanwhile: up to what fits.
    for left in (1..).map(|step| step * 128 * 1024) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (go_on, told) = channel();
        let stop = Some((content.len() - left, told));
        let suite = CipherSuite::TLS13_AES_128_GCM_SHA256;
        let client = client(listener.local_addr().unwrap().port(), suite, certificate.clone(), stop);
        let mut socket = accept(&listener, &tls).await;
        socket2::SockRef::from(&socket.stream).set_send_buffer_size(512 * 1024).unwrap();
        socket.hand_over(|| content.len() as u64);
        let socket = Arc::new(socket);
        let file = volume.open(b"/f", Access::Read).unwrap();
        let mut transfer = Transfer::send(socket.clone(), file, 0, u64::MAX, Arc::default());
        let fits = timeout(Duration::from_secs(1), transfer.ready()).await.is_ok();
        if fits {
            let _ = socket.finish();
            let held = Arc::strong_count(&socket);
            let _ = socket.finish();
            assert_eq!(Arc::strong_count(&socket), held, "one task sends the end");
            // Others have their turns, whether this one is at its end or not.
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        go_on.send(()).unwrap();
        transfer.ready().await;
        assert_eq!(transfer.finish().unwrap(), content.len() as u64);
        drop(transfer);
        ended(&socket).await;
        drop(socket);
        assert!(client.join().unwrap() == content, "{left}");
        if !fits {
            return;
        }
    }
}

#[tokio::test]
async fn a_client_that_has_said_its_last_word_gets_its_file() {
    let (root, volume) = scratch();
    fs::write(root.path().join("f"), vec![b'x'; 3 << 20]).unwrap();
    let (tls, certificate) = server(root.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let suite = CipherSuite::TLS13_AES_128_GCM_SHA256;
    let port = listener.local_addr().unwrap().port();
    let (go_on, told) = channel();
    // It closes its way before it waits.
    let client = client(port, suite, certificate, Some((0, told)));
    let mut socket = accept(&listener, &tls).await;
    go_on.send(()).unwrap();
    socket.stream.ready(Interest::READABLE).await.unwrap();
    socket.hand_over(|| 3 << 20);
    let socket = Arc::new(socket);
    let file = volume.open(b"/f", Access::Read).unwrap();
    let mut transfer = Transfer::send(socket.clone(), file, 0, u64::MAX, Arc::default());
    transfer.ready().await;
    assert_eq!(transfer.finish().unwrap(), 3 << 20);
    ended(&socket).await;
    drop((transfer, socket));
    assert_eq!(client.join().unwrap(), vec![b'x'; 3 << 20]);
}

/// The connection of a client, after its handshake.
async fn accept(listener: &TcpListener, tls: &Tls) -> Socket {
    let stream = listener.accept().unwrap().0;
    stream.set_nonblocking(true).unwrap();
    let stream = Stream::new(stream);
    let mut layer = tls.bond(None).unwrap().data().unwrap();
    while let Some(interest) = layer.handshake(&stream).unwrap() {
        stream.ready(interest).await.unwrap();
    }
    let busy = Busy::new(&Arc::new(Activity::new()));
    Socket::new(stream, Some((layer, true)), busy, Duration::from_secs(10), Arc::default())
}

/// One whose certificate is kept in `directory`.
fn server(directory: &std::path::Path) -> (Tls, CertificateDer<'static>) {
    let key_pair = rcgen::KeyPair::generate().unwrap();
    let made = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key_pair).unwrap();
    let (certificate, key) = (directory.join("certificate.pem"), directory.join("key.pem"));
    fs::write(&certificate, made.pem()).unwrap();
    fs::write(&key, key_pair.serialize_pem()).unwrap();
    let files = IdentityFiles { certificate, key, ocsp: None };
    let settings = crate::config::Tls::new(Identities::Files(vec![files]));
    (Tls::new(settings, &[]).unwrap(), made.der().clone())
}

/// One that is slow, and insists on close_notify. `stop`: after so many octets, it waits until it is told to go on; at
/// none, it first says that it will send nothing.
fn client(
    port: u16,
    suite: CipherSuite,
    certificate: CertificateDer<'static>,
    mut stop: Option<(usize, Receiver<()>)>,
) -> JoinHandle<Vec<u8>> {
    let mut provider = default_provider();
    provider.cipher_suites.retain(|known| known.suite() == suite);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    spawn(move || {
        let mut connection = ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        if stop.is_some() {
            socket2::SockRef::from(&socket).set_recv_buffer_size(64 * 1024).unwrap();
        }
        while connection.is_handshaking() {
            connection.complete_io(&mut socket).unwrap();
        }
        if stop.as_ref().is_some_and(|(at, _)| *at == 0) {
            socket.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut stream = StreamOwned::new(connection, socket);
        let (mut all, mut piece) = (Vec::new(), vec![0; 256 * 1024]);
        loop {
            if let Some((_, told)) = stop.take_if(|(at, _)| all.len() >= *at) {
                told.recv().unwrap();
            }
            match stream.read(&mut piece).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
            sleep(Duration::from_micros(100));
        }
    })
}
