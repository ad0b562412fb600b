//! unFTP, which lets everybody in: it compares passwords in clear if at all.

use super::{Feature, Kind, PASSIVE_PORTS, USER, free_port};

pub(super) static KIND: Kind = Kind {
    name: "unftp",
    ours: false,
    lacks: &[Feature::Active],
    user: USER,
    program: |plan| plan.peers.join("unftp/bin/unftp"),
    start: |setup| {
        let mut command = setup.command();
        command
            .args(["--bind-address", &format!("127.0.0.1:{}", setup.port), "--root-dir"])
            .arg(setup.root)
            .args(["--bind-address-http", &format!("127.0.0.1:{}", free_port()?), "--log-level", "error"])
            .args(["--passive-ports", &format!("{}-{}", PASSIVE_PORTS.0, PASSIVE_PORTS.1)])
            .args(["--idle-session-timeout", "3600", "--ftps-certs-file"])
            .arg(&setup.identity.certificate)
            .arg("--ftps-key-file")
            .arg(&setup.identity.key);
        Ok(command)
    },
};
