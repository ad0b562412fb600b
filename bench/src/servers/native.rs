//! Ours without its sandbox.

use super::{Kind, PASSIVE_PORTS, USER};
use crate::client::PASSWORD;

pub(super) static KIND: Kind = Kind {
    name: "native",
    ours: true,
    lacks: &[],
    user: USER,
    program: |plan| plan.native.clone(),
    start: |setup| {
        let mut command = setup.command();
        command
            .arg(setup.root)
            .args(["--listen", &format!("127.0.0.1:{}", setup.port), "--user", USER, "--password", PASSWORD])
            .arg("--certificate")
            .arg(&setup.identity.certificate)
            .arg("--key")
            .arg(&setup.identity.key)
            .args(["--first-passive-port", &PASSIVE_PORTS.0.to_string()])
            .args(["--last-passive-port", &PASSIVE_PORTS.1.to_string(), "--max-connections", "6000"]);
        Ok(command)
    },
};
