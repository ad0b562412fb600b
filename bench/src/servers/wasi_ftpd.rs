//! Ours.

use super::{Kind, PASSIVE_PORTS, USER};
use crate::client::PASSWORD;

pub(super) static KIND: Kind = Kind {
    name: "wasi-ftpd",
    ours: true,
    lacks: &[],
    user: USER,
    program: |plan| plan.program.clone(),
    start: |setup| {
        let mut command = setup.command();
        command
            .arg("serve")
            .arg(setup.root)
            .args(["--listen", &format!("127.0.0.1:{}", setup.port), "--user", &format!("{USER}:{PASSWORD}")])
            .args(["--writable", "--log", "error", "--max-connections", "6000"])
            .args(["--passive-ports", &format!("{}-{}", PASSIVE_PORTS.0, PASSIVE_PORTS.1)])
            .args(["--tls", &format!("{},{}", setup.identity.certificate.display(), setup.identity.key.display())])
            .args(["--idle-timeout", "3600"]);
        Ok(command)
    },
};
