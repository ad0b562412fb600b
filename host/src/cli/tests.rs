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

fn setup(options: &[&str]) -> Setup {
    typed(&[&["."], options].concat()).unwrap().setup().unwrap()
}

/// The line that is said, from clap or from us.
fn mistake(arguments: &[&str]) -> String {
    match typed(arguments) {
        Ok(args) => format!("error: {:#}", args.setup().err().unwrap()),
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
    let Setup { config, users, generated, .. } = setup(&[]);
    assert_eq!(config.listen, ["127.0.0.1:2121".parse().unwrap()]);
    assert_eq!(config.passive_ports, 49152..=65535);
    assert_eq!(config.active_port, ActivePort::BesideControl);
    assert_eq!(config.limits, Limits::default());
    assert!(users.anonymous() && users.users().is_empty());
    assert!(generated.is_empty());
    assert_eq!(typed(&["."]).unwrap().log, "info");
}

#[test]
fn users_replace_anonymous_unless_both_are_asked_for() {
    let Setup { users: only, generated, .. } = setup(&["--user", "anna:pass:word", "--user", "bert"]);
    assert!(!only.anonymous());
    let anna = only.check(b"anna", b"pass:word").unwrap();
    assert_eq!(anna.permissions, Permissions::READ_ONLY);
    let [GeneratedPassword { name, password }] = &generated[..] else { panic!("one password") };
    assert_eq!(name, "bert");
    assert!(only.check(b"bert", password.as_bytes()).is_some());

    let both = setup(&["--user", "anna:x", "--anonymous", "--writable"]);
    assert_eq!(both.users.check(b"anna", b"x").unwrap().permissions, Permissions::ALL);
    assert_eq!(both.users.check(b"ftp", b"x").unwrap().permissions, Permissions::READ_ONLY);
}

#[test]
fn addresses_ports_and_limits() {
    let Setup { config, .. } = setup(&[
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
    assert_eq!(setup(&["--active-port=20"]).config.active_port, ActivePort::Fixed(20));
}

#[test]
fn files() {
    let unfinished = |word| setup(&["--unfinished-uploads", word]).unfinished;
    assert_eq!(setup(&[]).unfinished, Unfinished::Keep);
    assert_eq!(
        ["keep", "delete", "visible"].map(unfinished),
        [Unfinished::Keep, Unfinished::Delete, Unfinished::InPlace]
    );
    assert_eq!((setup(&[]).fsync, setup(&["--fsync"]).fsync), (false, true));
    assert_eq!(setup(&[]).config.charset, None);
    for (typed, name) in [("latin1", "windows-1252"), ("sjis", "Shift_JIS"), ("UTF8", "UTF-8"), ("GBK", "GBK")] {
        assert_eq!(setup(&["--charset", typed]).config.charset.as_deref(), Some(name));
    }
}

#[test]
fn tls() {
    let tls = |options: &[&str]| setup(options).config.tls;
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
fn components() {
    let providers = setup(&["--accounts=Cargo.toml,src", "--root=team=src", "--events=build.rs"]).providers;
    let accounts = providers.accounts.unwrap();
    assert_eq!((accounts.component, accounts.directory), ("Cargo.toml".into(), Some("src".into())));
    assert_eq!(providers.roots.into_iter().collect::<Vec<_>>(), [("team".to_owned(), "src".into())]);
    assert_eq!(providers.events.unwrap().directory, None);
    let Setup { root, providers, users, .. } = typed(&["--storage=Cargo.toml"]).unwrap().setup().unwrap();
    assert!(root.is_none() && providers.storage.is_some() && users.anonymous());
}

#[test]
fn every_mistake_names_its_flag_and_says_what_to_do() {
    let mistakes: [(&[&str], &[&str]); 52] = [
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
        (&[], &["required arguments"]),
        (&[".", "--accounts", "no.wasm"], &["--accounts no.wasm", "cannot read no.wasm"]),
        (&[".", "--accounts", "Cargo.toml,none"], &["--accounts Cargo.toml,none", "none is no directory"]),
        (&[".", "--accounts", "Cargo.toml", "--user", "anna"], &["--accounts", "--user"]),
        (&[".", "--root", "a=src"], &["required arguments"]),
        (&[".", "--accounts", "Cargo.toml", "--root", "src"], &["--root src", "write NAME=DIR"]),
        (&[".", "--accounts", "Cargo.toml", "--root", "main=src"], &["--root main=src", "choose another name"]),
        (&[".", "--accounts", "Cargo.toml", "--root", "a=no"], &["--root a=no", "a directory that exists"]),
        (&[".", "--storage", "Cargo.toml"], &["[DIR]", "--storage"]),
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
