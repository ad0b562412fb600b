//! Whole sessions over the environment in memory: whatever a client does, in whatever order, every octet
//! of the control connection is part of a well-formed reply.
//!
//! The input is a script, an action a line: `>` sends a line, `p` opens a passive data connection, `a`
//! listens for an active one, `d` and `e` send over it (without and with the end), `r` takes what came,
//! `x` breaks it, `c` closes the control connection. Anything else is sent as it is.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wasi_ftpd::env::memory::{Client, Memory};
use wasi_ftpd::proto::entry::Permissions;
use wasi_ftpd::session::serve;

fuzz_target!(|script: &[u8]| {
    let server = "127.0.0.1:21".parse().unwrap();
    let memory = Memory::new(server, "127.0.0.1:40000".parse().unwrap());
    memory.account(b"u", b"p", Permissions::ALL);
    memory.files(|files| {
        files.put_directory(b"/d");
        files.put_file(b"/d/f", b"one\ntwo\r\n");
        files.put_file(b"/big", &[b'x'; 100_000]);
        files.put_link(b"/l");
    });
    let served = memory.clone();
    let mut client = Client::new(memory, async move { serve(&served).await });
    client.send(b"USER u\r\nPASS p\r\n");
    let mut said = Vec::new();
    for action in script.split(|&octet| octet == b'\n') {
        match action {
            [b'>', line @ ..] => client.send(&[line, b"\r\n"].concat()),
            [b'p', ..] => {
                client.listen(false);
                said.extend(client.receive());
                client.send(b"EPSV\r\n");
                let reply = client.receive();
                let text = String::from_utf8_lossy(&reply).into_owned();
                if let Some(port) = text.split('|').nth(3).and_then(|port| port.parse().ok()) {
                    client.connect((server.ip(), port).into());
                }
                said.extend(reply);
            }
            [b'a', ..] => client.listen(true),
            [b'd', octets @ ..] => drop(client.send_data(octets, false)),
            [b'e', octets @ ..] => drop(client.send_data(octets, true)),
            [b'r', ..] => drop(client.receive_data()),
            [b'x', ..] => client.reset_data(),
            [b'c', ..] => client.close(),
            other => client.send(other),
        }
        said.extend(client.receive());
    }
    for line in said.split_inclusive(|&octet| octet == b'\n') {
        let text = line.strip_suffix(b"\r\n").expect("a line ends with CR LF");
        let after_cr = text.split(|&octet| octet == b'\r').skip(1);
        assert!(after_cr.into_iter().all(|rest| rest.first() == Some(&0)), "a bare CR");
        let coded = text.len() >= 4 && text[..3].iter().all(u8::is_ascii_digit) && matches!(text[3], b' ' | b'-');
        assert!(coded || text.first() == Some(&b' '), "{}", text.escape_ascii());
    }
});
