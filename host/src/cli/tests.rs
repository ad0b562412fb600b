use wasi_ftpd_host::config::{ClientCertificates, Identities, IdentityFiles, SessionReuse, Tls, TlsPolicy};

use super::*;

fn typed(arguments: &[&str]) -> Result<ServeArgs, String> {
    let line = ["wasi-ftpd", "serve"].iter().chain(arguments);
    match Cli::try_parse_from(line) {
        Ok(Cli { command: Command::Serve(args) }) => Ok(args),
        Ok(_) => panic!("not what was typed"),
        Err(error) => Err(error.to_string().lines().next().unwrap().to_owned()),
    }
}

fn config(options: &[&str]) -> (Config, Vec<GeneratedPassword>) {
    typed(&[&["."], options].concat()).unwrap().config().unwrap()
}

/// The line that is said, from clap or from us.
fn mistake(arguments: &[&str]) -> String {
    match typed(arguments) {
        Ok(args) => format!("error: {:#}", args.config().err().unwrap()),
        Err(line) => line,
    }
}

#[test]
fn flags_are_consistent() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn without_options_anonymous_reads_on_this_machine() {
    let (config, generated) = config(&[]);
    assert_eq!(config.listen, ["127.0.0.1:2121".parse().unwrap()]);
    assert_eq!(config.passive_ports, 49152..=65535);
    assert_eq!(config.active_port, ActivePort::BesideControl);
    assert_eq!(config.limits, Limits::default());
    assert!(config.accounts.anonymous() && config.accounts.users().is_empty());
    assert!(generated.is_empty());
    assert_eq!(typed(&["."]).unwrap().log, "info");
}

#[test]
fn users_replace_anonymous_unless_both_are_asked_for() {
    let (only, generated) = config(&["--user", "anna:pass:word", "--user", "bert"]);
    assert!(!only.accounts.anonymous());
    let anna = only.accounts.check(b"anna", b"pass:word").unwrap();
    assert_eq!(anna.permissions, Permissions::READ_ONLY);
    let [GeneratedPassword { name, password }] = &generated[..] else { panic!("one password") };
    assert_eq!(name, "bert");
    assert!(only.accounts.check(b"bert", password.as_bytes()).is_some());

    let (both, _) = config(&["--user", "anna:x", "--anonymous", "--writable"]);
    assert_eq!(both.accounts.check(b"anna", b"x").unwrap().permissions, Permissions::ALL);
    assert_eq!(both.accounts.check(b"ftp", b"x").unwrap().permissions, Permissions::READ_ONLY);
}

#[test]
fn addresses_ports_and_limits() {
    let (config, _) = config(&[
        "--listen=0.0.0.0:21",
        "--listen=[::]:21",
        "--passive-ports=50000-50100",
        "--public-address=192.0.2.1",
        "--active-port=0",
        "--max-connections=7",
        "--max-connections-per-address=3",
        "--idle-timeout=10",
        "--login-timeout=11",
        "--stall-timeout=12",
        "--log=wasi_ftpd_host=debug,warn",
    ]);
    assert_eq!(config.listen, ["0.0.0.0:21".parse().unwrap(), "[::]:21".parse().unwrap()]);
    assert_eq!(config.passive_ports, 50000..=50100);
    assert_eq!(config.public_address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(config.active_port, ActivePort::Any);
    assert_eq!((config.limits.connections, config.limits.connections_per_address), (7, Some(3)));
    let [idle, login, stall] = [10, 11, 12].map(Duration::from_secs);
    assert_eq!((config.limits.idle, config.limits.login, config.limits.stall), (idle, login, stall));
    assert_eq!(self::config(&["--active-port=20"]).0.active_port, ActivePort::Fixed(20));
}

#[test]
fn files() {
    let unfinished = |word| config(&["--unfinished-uploads", word]).0.unfinished;
    assert_eq!(config(&[]).0.unfinished, Unfinished::Keep);
    assert_eq!(
        ["keep", "delete", "visible"].map(unfinished),
        [Unfinished::Keep, Unfinished::Delete, Unfinished::InPlace]
    );
    assert_eq!(config(&[]).0.charset, None);
    for (typed, name) in [("latin1", "windows-1252"), ("sjis", "Shift_JIS"), ("UTF8", "UTF-8"), ("GBK", "GBK")] {
        assert_eq!(config(&["--charset", typed]).0.charset.as_deref(), Some(name));
    }
    assert_eq!(config(&[]).0.umask, 0o022);
}

#[test]
fn tls() {
    let tls = |options: &[&str]| config(options).0.tls;
    assert_eq!(tls(&[]), None);
    assert_eq!(tls(&["--tls-policy=off"]), None);
    assert_eq!(tls(&["--tls=self-signed", "--tls-policy=off"]), None);
    assert!(matches!(tls(&["--tls=self-signed"]), Some(Tls { identities: Identities::SelfSigned(_), .. })));
    // Any file will do here: what is in it is looked at later.
    let files = |certificate: &str, ocsp: Option<&str>| IdentityFiles {
        certificate: certificate.into(),
        key: "src/lib.rs".into(),
        ocsp: ocsp.map(Into::into),
    };
    let all = tls(&[
        "--tls=Cargo.toml,src/lib.rs",
        "--tls=build.rs,src/lib.rs",
        "--tls-ocsp=src/main.rs",
        "--tls-policy=required-for-data",
        "--implicit-listen=127.0.0.1:990",
        "--tls-client-ca=Cargo.toml",
        "--tls-client-certificates=required",
        "--tls-session-reuse=enforce",
        "--tls-ccc",
        "--tls-lax-close",
    ]);
    let expected = Tls {
        identities: Identities::Files(vec![files("Cargo.toml", Some("src/main.rs")), files("build.rs", None)]),
        policy: TlsPolicy::RequiredForData,
        implicit_listen: vec!["127.0.0.1:990".parse().unwrap()],
        client_certificates: Some(ClientCertificates { authorities: "Cargo.toml".into(), required: true }),
        session_reuse: SessionReuse::Enforce,
        close_notify: false,
        clear_commands: true,
    };
    assert_eq!(all, Some(expected));
}

#[test]
fn every_mistake_names_its_flag_and_says_what_to_do() {
    let mistakes: [(&[&str], &[&str]); 43] = [
        (&["/no/such"], &["/no/such", "name a directory that exists", "No such file"]),
        (&["/etc/passwd"], &["/etc/passwd", "not a directory"]),
        (&[".", "--writable"], &["--writable", "add --user"]),
        (&[".", "--listen", "2121"], &["--listen", "'2121'", "write 127.0.0.1:2121", "0.0.0.0:2121"]),
        (&[".", "--listen", "127.0.0.1"], &["--listen", "port is missing", "127.0.0.1:2121"]),
        (&[".", "--listen", "::1"], &["--listen", "write [::1]:2121"]),
        (&[".", "--listen", "[::1]"], &["--listen", "write [::1]:2121"]),
        (&[".", "--listen", "localhost:2121"], &["--listen", "localhost", "write an IP address"]),
        (&[".", "--listen", "127.0.0.1:1", "--listen", "127.0.0.1:1"], &["--listen 127.0.0.1:1", "twice"]),
        (&[".", "--user", ""], &["--user", "name is missing"]),
        (&[".", "--user", ":x"], &["--user", "name is missing"]),
        (&[".", "--user", "anna:"], &["--user", "password is empty", "leave out the colon"]),
        (&[".", "--user", "an\nna"], &["--user", "control characters"]),
        (&[".", "--user", "anna:a\rb"], &["--user", "control characters"]),
        (&[".", "--user", "FTP:x"], &["--user", "--anonymous"]),
        (&[".", "--user", "anonymous"], &["--user", "--anonymous"]),
        (&[".", "--user", "anna", "--user", "anna:x"], &["--user anna", "twice"]),
        (&[".", "--unfinished-uploads", "hide"], &["--unfinished-uploads", "'hide'", "keep, delete or visible"]),
        (&[".", "--charset", "klingon"], &["--charset", "'klingon'", "WHATWG", "windows-1252"]),
        (&[".", "--charset", "utf-16"], &["--charset", "ASCII", "UTF-8"]),
        (&[".", "--passive-ports", "50000"], &["--passive-ports", "50000-50100"]),
        (&[".", "--passive-ports", "0-10"], &["--passive-ports", "no port 0"]),
        (&[".", "--passive-ports", "20-10"], &["--passive-ports", "write 10-20"]),
        (&[".", "--passive-ports", "1-65536"], &["--passive-ports", "1-65536"]),
        (&[".", "--public-address", "example.org"], &["--public-address", "write an IP address"]),
        (&[".", "--public-address", "0.0.0.0"], &["--public-address", "no client can connect"]),
        (&[".", "--active-port", "70000"], &["--active-port", "0 for any"]),
        (&[".", "--tls", "cert.pem"], &["--tls cert.pem", "key is missing", "self-signed"]),
        (&[".", "--tls", "no.pem,key.pem"], &["--tls no.pem,key.pem", "cannot read no.pem"]),
        (&[".", "--tls", "self-signed", "--tls", "a,b"], &["--tls self-signed", "leave one out"]),
        (&[".", "--tls", "self-signed", "--tls-policy", "on"], &["--tls-policy", "'on'", "required-for-data"]),
        (&[".", "--tls-policy", "required"], &["--tls-policy", "add --tls"]),
        (&[".", "--implicit-listen", "127.0.0.1:990"], &["--implicit-listen", "add --tls"]),
        (
            &[".", "--tls=self-signed", "--listen=127.0.0.1:1", "--implicit-listen=127.0.0.1:1"],
            &["--implicit-listen 127.0.0.1:1", "twice"],
        ),
        (&[".", "--tls=self-signed", "--tls-client-ca=no.pem"], &["--tls-client-ca", "cannot read no.pem"]),
        (
            &[".", "--tls=self-signed", "--tls-client-certificates=required"],
            &["--tls-client-certificates", "--tls-client-ca"],
        ),
        (&[".", "--tls=self-signed", "--tls-session-reuse=on"], &["--tls-session-reuse", "enforce"]),
        (&[".", "--tls=self-signed", "--tls-ocsp=x"], &["--tls-ocsp", "leave it out"]),
        (&[".", "--max-connections", "0"], &["--max-connections", "from 1"]),
        (&[".", "--max-connections-per-address", "many"], &["--max-connections-per-address", "from 1"]),
        (&[".", "--idle-timeout", "0"], &["--idle-timeout", "seconds from 1"]),
        (&[".", "--stall-timeout", "18446744073709551615"], &["--stall-timeout", "a day"]),
        (&[".", "--log", "verbose"], &["--log", "'verbose'", "off, error, warn"]),
    ];
    for (arguments, parts) in mistakes {
        let line = mistake(arguments);
        for part in parts {
            assert!(line.contains(part), "{arguments:?}: {line:?} lacks {part:?}");
        }
        assert!(line.starts_with("error: ") && !line.contains(char::is_control), "{line:?}");
    }
}
