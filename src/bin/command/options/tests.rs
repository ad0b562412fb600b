use super::*;

fn parse(words: &[&str]) -> Result<Options, String> {
    match Options::parse(words.iter().map(|&word| word.to_owned()))? {
        Typed::Serve(options) => Ok(*options),
        Typed::Help | Typed::Version => panic!("{words:?}"),
    }
}

#[test]
fn defaults() {
    let options = parse(&[]).unwrap();
    assert!(options.anonymous && !options.writable && options.listen.is_empty());
    assert_eq!(options.active_port, ActivePort::BesideControl);
    assert!(!parse(&["--user", "anna"]).unwrap().anonymous);
    assert!(parse(&["--user", "anna", "--anonymous"]).unwrap().anonymous);
}

#[test]
fn every_option() {
    let options = parse(&[
        "--listen",
        "127.0.0.1:2121",
        "--listen=[::1]:2121",
        "--user=anna:se:cr=et",
        "--users",
        "/conf/users",
        "--writable",
        "--passive-ports=5000-5010",
        "--public-address=192.0.2.1",
        "--active-port=0",
        "--max-connections=7",
        "--max-connections-per-address=3",
        "--idle-timeout=11",
        "--login-timeout=12",
        "--stall-timeout=13",
        "--charset=latin1",
        "--log=debug",
    ])
    .unwrap();
    assert_eq!(options.listen, ["127.0.0.1:2121".parse().unwrap(), "[::1]:2121".parse().unwrap()]);
    assert_eq!(options.users, [("anna".to_owned(), Some("se:cr=et".to_owned()))]);
    assert_eq!(options.users_file.as_deref(), Some("/conf/users"));
    assert!(options.writable && !options.anonymous);
    assert_eq!(options.passive_ports, 5000..=5010);
    assert_eq!(options.public_address, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(options.active_port, ActivePort::Any);
    let limits = &options.limits;
    assert_eq!((limits.connections, limits.connections_per_address), (7, Some(3)));
    assert_eq!([limits.idle, limits.login, limits.stall].map(|time| time.as_secs()), [11, 12, 13]);
    assert_eq!(options.charset.as_deref(), Some("windows-1252"));
    assert_eq!(options.log, LevelFilter::Debug);
    for flag in FLAGS {
        assert!(HELP.contains(&format!("  {flag} ")), "{flag} is not in --help");
    }
}

#[test]
fn mistakes_say_what_to_do() {
    for (words, hint) in [
        (&["--nonsense"][..], "no such option"),
        (&["serve"], "no such option"),
        (&["--listen"], "value is missing"),
        (&["--listen", "2121"], "0.0.0.0:2121"),
        (&["--listen", "::1"], "[::1]:2121"),
        (&["--listen=[::1]:21", "--listen=[::1]:21"], "given twice"),
        (&["--writable"], "add --user"),
        (&["--writable=yes"], "no such option"),
        (&["--user", "ftp"], "--anonymous"),
        (&["--user", ":secret"], "name is missing"),
        (&["--user", "anna:"], "password is empty"),
        (&["--passive-ports", "2-1"], "write 1-2"),
        (&["--public-address", "0.0.0.0"], "no client can connect"),
        (&["--active-port", "x"], "65535"),
        (&["--max-connections", "0"], "whole number"),
        (&["--idle-timeout", "0"], "seconds"),
        (&["--charset", "utf-16"], "ASCII"),
        (&["--log", "loud"], "debug"),
    ] {
        let error = parse(words).err().unwrap_or_else(|| panic!("{words:?}"));
        assert!(error.contains(hint) && error.lines().count() == 1, "{words:?}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_file_of_users() {
    let hash = format!("$6$saltsalt${}", "x".repeat(86));
    let text = format!("# who may\n\nanna:{hash}\nbert:{hash}:rw\ncarl:{hash}:ro\n");
    let writes = |writable| -> Vec<bool> {
        users_file(&text, writable).unwrap().iter().map(|user| user.permissions.write).collect()
    };
    assert_eq!(writes(false), [false, true, false]);
    assert_eq!(writes(true), [true, true, false]);
    for (line, hint) in [
        ("anna", "NAME:HASH"),
        ("anna:secret", "openssl passwd -6"),
        (&format!("anna:{hash}:x"), "ro"),
        (&format!("anna:{hash}:ro:x"), "NAME:HASH"),
        (&format!(":{hash}"), "name is missing"),
        (&format!("anna:{hash}\nanna:{hash}"), "line 2: that name is there twice"),
    ] {
        let error = users_file(line, false).unwrap_err();
        assert!(error.starts_with("line ") && error.contains(hint) && !error.contains("secret"), "{line}: {error}");
    }
}
