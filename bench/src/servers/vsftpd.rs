//! vsftpd, as anonymous: it has no users of its own, and PAM would be what is measured. Its user needs a home that exists.

use super::{Feature, Kind, PASSIVE_PORTS};

pub(super) static KIND: Kind = Kind {
    name: "vsftpd",
    ours: false,
    lacks: &[Feature::Mlsd, Feature::Thousands],
    user: "anonymous",
    program: |plan| plan.peers.join("vsftpd/usr/sbin/vsftpd"),
    start: |setup| {
        let empty = setup.scratch.join("empty");
        std::fs::create_dir(&empty)?;
        let text = format!(
            "background=NO\nlisten=YES\nlisten_address=127.0.0.1\nlisten_port={}\nanonymous_enable=YES\n\
             local_enable=NO\nwrite_enable=YES\nanon_root={}\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n\
             anon_other_write_enable=YES\nanon_world_readable_only=NO\nanon_umask=022\nallow_writeable_chroot=YES\n\
             ftp_username=daemon\nnopriv_user=nobody\nsecure_chroot_dir={}\nxferlog_enable=NO\n\
             use_sendfile=YES\npasv_min_port={}\npasv_max_port={}\nseccomp_sandbox=NO\n\
             max_clients=0\nmax_per_ip=0\nconnect_from_port_20=NO\nssl_enable=YES\nallow_anon_ssl=YES\n\
             force_local_data_ssl=NO\nforce_local_logins_ssl=NO\nrsa_cert_file={}\nrsa_private_key_file={}\n\
             ssl_tlsv1=NO\nssl_sslv2=NO\nssl_sslv3=NO\nssl_ciphers=HIGH\nrequire_ssl_reuse=NO\n",
            setup.port,
            setup.root.display(),
            empty.display(),
            PASSIVE_PORTS.0,
            PASSIVE_PORTS.1,
            setup.identity.certificate.display(),
            setup.identity.key.display(),
        );
        let mut command = setup.command();
        command.arg(setup.file("vsftpd.conf", &text)?);
        Ok(command)
    },
};
