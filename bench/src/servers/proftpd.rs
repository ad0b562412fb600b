//! ProFTPD.

use super::{CHEAP_HASH, Feature, Kind, PASSIVE_PORTS, USER};

pub(super) static KIND: Kind = Kind {
    name: "proftpd",
    ours: false,
    lacks: &[Feature::Thousands],
    user: USER,
    program: |plan| plan.peers.join("proftpd-core/usr/sbin/proftpd"),
    start: |setup| {
        let users = format!("{USER}:{CHEAP_HASH}:65534:65534::{}:/bin/sh\n", setup.root.display());
        let users = setup.file("users", &users)?;
        let groups = setup.file("groups", "nogroup:x:65534:\n")?;
        for file in [&users, &groups] {
            std::fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        }
        // Beside the program: .../proftpd-core/usr/sbin.
        let modules = setup.program.with_file_name("../../../proftpd-mod-crypto/usr/lib/proftpd");
        let text = format!(
            "ServerType standalone\nDefaultServer on\nServerName bench\nDefaultAddress 127.0.0.1\nPort {port}\n\
             User nobody\nGroup nogroup\nUmask 022\nMaxInstances none\nUseIPv6 off\nUseReverseDNS off\n\
             WtmpLog off\nTransferLog none\nSystemLog none\nUseSendfile on\n\
             RequireValidShell off\nAuthUserFile {users}\nAuthGroupFile {groups}\nAuthOrder mod_auth_file.c\n\
             AllowOverwrite on\nPassivePorts {first} {last}\nTimeoutIdle 3600\nTimesGMT on\nDelayEngine off\n\
             DefaultRoot {root}\nScoreboardFile {scratch}/scoreboard\nPidFile {scratch}/pid\nMaxClients none\n\
             ModulePath {modules}\nLoadModule mod_tls.c\nTLSEngine on\nTLSLog none\nTLSRequired off\n\
             TLSRSACertificateFile {certificate}\nTLSRSACertificateKeyFile {key}\nTLSProtocol TLSv1.2 TLSv1.3\n\
             TLSOptions NoSessionReuseRequired\nTLSRenegotiate none\n",
            port = setup.port,
            users = users.display(),
            groups = groups.display(),
            first = PASSIVE_PORTS.0,
            last = PASSIVE_PORTS.1,
            root = setup.root.display(),
            scratch = setup.scratch.display(),
            modules = modules.canonicalize()?.display(),
            certificate = setup.identity.certificate.display(),
            key = setup.identity.key.display(),
        );
        let mut command = setup.command();
        command.arg("--nodaemon").arg("--config").arg(setup.file("proftpd.conf", &text)?);
        Ok(command)
    },
};
