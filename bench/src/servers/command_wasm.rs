//! Ours as one component, under a stock Wasmtime.

use super::{Feature, Kind, PASSIVE_PORTS, USER};
use crate::client::PASSWORD;

pub(super) static KIND: Kind = Kind {
    name: "command.wasm",
    ours: true,
    lacks: &[Feature::Tls, Feature::Thousands],
    user: USER,
    program: |plan| plan.wasmtime.clone(),
    start: |setup| {
        let mut command = setup.command();
        command
            .args(["run", "-S", "inherit-network", "--dir"])
            .arg(format!("{}::/", setup.root.display()))
            .arg(setup.component)
            .args(["--listen", &format!("127.0.0.1:{}", setup.port), "--user", &format!("{USER}:{PASSWORD}")])
            .args(["--writable", "--log", "off", "--max-connections", "6000", "--idle-timeout", "3600"])
            .args(["--passive-ports", &format!("{}-{}", PASSIVE_PORTS.0, PASSIVE_PORTS.1)]);
        Ok(command)
    },
};
