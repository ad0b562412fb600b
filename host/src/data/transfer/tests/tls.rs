use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::thread::{JoinHandle, sleep, spawn};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::CertificateDer;
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::task::yield_now;

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
            let client = client(listener.local_addr().unwrap().port(), suite, certificate.clone());
            let stream = listener.accept().unwrap().0;
            stream.set_nonblocking(true).unwrap();
            let stream = Stream::new(stream);
            let mut layer = tls.bond(None).unwrap().data().unwrap();
            while let Some(interest) = layer.handshake(&stream).unwrap() {
                stream.ready(interest).await.unwrap();
            }
            let busy = Busy::new(&Arc::new(Activity::new()));
            let mut socket = Socket::new(stream, Some((layer, true)), busy, Duration::from_secs(10), Arc::default());
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
            while socket.finish() == Err(Error::Pending) {
                Output(socket.clone()).ready().await;
            }
            while !socket.is_finished() {
                yield_now().await;
            }
            drop(socket);
            assert!(client.join().unwrap() == content[offset..], "{suite:?}, {length}");
        }
    }
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

/// One that is slow, and insists on close_notify.
fn client(port: u16, suite: CipherSuite, certificate: CertificateDer<'static>) -> JoinHandle<Vec<u8>> {
    let mut provider = default_provider();
    provider.cipher_suites.retain(|known| known.suite() == suite);
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    spawn(move || {
        let connection = ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", port)).unwrap());
        let (mut all, mut piece) = (Vec::new(), vec![0; 256 * 1024]);
        loop {
            match stream.read(&mut piece).unwrap() {
                0 => return all,
                count => all.extend_from_slice(&piece[..count]),
            }
            sleep(Duration::from_micros(100));
        }
    })
}
