//! Pure-FTPd.

use std::process::Command;

use anyhow::ensure;

use super::{CHEAP_HASH, Feature, Kind, PASSIVE_PORTS, USER};

pub(super) static KIND: Kind = Kind {
    name: "pure-ftpd",
    ours: false,
    lacks: &[Feature::Thousands],
    user: USER,
    program: |plan| plan.peers.join("pure-ftpd/usr/sbin/pure-ftpd"),
    start: |setup| {
        let line = format!("{USER}:{CHEAP_HASH}:65534:65534::{}/./::::::::::::\n", setup.root.display());
        let users = setup.file("users", &line)?;
        let database = setup.scratch.join("users.pdb");
        // Beside the program: usr/sbin.
        let maker = setup.program.with_file_name("../bin/pure-pw");
        let made = Command::new(maker).arg("mkdb").arg(&database).arg("-f").arg(&users).output()?;
        ensure!(made.status.success(), "pure-pw: {}", String::from_utf8_lossy(&made.stderr));
        let mut command = setup.command();
        command
            .args(["-S", &format!("127.0.0.1,{}", setup.port), "-4", "-A", "-E", "-H", "-u", "1"])
            .args(["-c", "10000", "-C", "10000", "-L", "200000:5", "-Y", "1", "-I", "60", "-U", "022:022"])
            .args(["-p", &format!("{}:{}", PASSIVE_PORTS.0, PASSIVE_PORTS.1), "-f", "none"])
            .args(["-l", &format!("puredb:{}", database.display()), "-g"])
            .arg(setup.scratch.join("pid"))
            .args(["-2", &setup.identity.both.display().to_string()]);
        Ok(command)
    },
};
