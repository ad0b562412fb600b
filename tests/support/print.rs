//! Commands to the lines that mean them.

use std::net::SocketAddr;

use wasi_ftpd::proto::address::{host_port, long_host_port};
use wasi_ftpd::proto::arguments::{Mechanism, Protection};
use wasi_ftpd::proto::checksum::Algorithm;
use wasi_ftpd::proto::command::{Command, Epsv, Opts};
use wasi_ftpd::proto::path::quoted;
use wasi_ftpd::proto::site::Site;
use wasi_ftpd::proto::wire::{Mode, Structure, Type};

/// A line that is parsed to this command.
pub fn print(command: &Command) -> Vec<u8> {
    let word = |verb: &str| verb.as_bytes().to_vec();
    let name = |verb: &str, name: &[u8]| [verb.as_bytes(), b" ", name].concat();
    let maybe = |verb: &str, argument: &Option<Vec<u8>>| argument.as_ref().map_or(word(verb), |it| name(verb, it));
    let list = |verb: &str, argument: &[u8]| if argument.is_empty() { word(verb) } else { name(verb, argument) };
    match command {
        Command::Abor => word("ABOR"),
        Command::Acct => word("ACCT x"),
        Command::Allo(size) => format!("ALLO {size}").into(),
        Command::Appe(it) => name("APPE", it),
        Command::Auth(Mechanism::Tls) => word("AUTH TLS"),
        Command::Auth(Mechanism::Ssl) => word("AUTH SSL"),
        Command::Auth(Mechanism::TlsP) => word("AUTH TLS-P"),
        Command::Avbl(it) => list("AVBL", it),
        Command::Ccc => word("CCC"),
        Command::Cdup => word("CDUP"),
        Command::Checksum(Algorithm::Crc32, it) => name("XCRC", it),
        Command::Checksum(Algorithm::Md5, it) => name("XMD5", it),
        Command::Checksum(Algorithm::Sha1, it) => name("XSHA1", it),
        Command::Checksum(Algorithm::Sha256, it) => name("XSHA256", it),
        Command::Checksum(Algorithm::Sha512, it) => name("XSHA512", it),
        Command::Clnt => word("CLNT x"),
        Command::Comb(names) => name("COMB", &names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(&b' ')),
        Command::Csid => word("CSID"),
        Command::Cwd(it) => name("CWD", it),
        Command::Dele(it) => name("DELE", it),
        Command::Eprt(to) => format!("EPRT |{}|{}|{}|", if to.is_ipv4() { 1 } else { 2 }, to.ip(), to.port()).into(),
        Command::Epsv(Epsv::Same) => word("EPSV"),
        Command::Epsv(Epsv::V4) => word("EPSV 1"),
        Command::Epsv(Epsv::V6) => word("EPSV 2"),
        Command::Epsv(Epsv::All) => word("EPSV ALL"),
        Command::Feat => word("FEAT"),
        Command::Hash(it) => name("HASH", it),
        Command::Help(it) => maybe("HELP", it),
        Command::Host(it) => name("HOST", it),
        Command::Lang(it) => maybe("LANG", it),
        Command::List(it) => list("LIST", it),
        // An IPv4-mapped address has the other form, which is another command.
        Command::Lprt(to) => format!("LPRT {}", long_host_port(*to)).into(),
        Command::Lpsv => word("LPSV"),
        Command::Md5(it) => name("MD5", it),
        Command::Mdtm(it) => name("MDTM", it),
        Command::Mfct(time, it) => name(&format!("MFCT {}", time.exact_time_val()), it),
        Command::Mff(changes, it) => {
            let mut facts = String::new();
            changes.modified.iter().for_each(|time| facts += &format!("Modify={};", time.exact_time_val()));
            changes.created.iter().for_each(|time| facts += &format!("Create={};", time.exact_time_val()));
            changes.mode.iter().for_each(|mode| facts += &format!("UNIX.mode={mode:o};"));
            name(&format!("MFF {facts}"), it)
        }
        Command::Mfmt(time, it) => name(&format!("MFMT {}", time.exact_time_val()), it),
        Command::Mkd(it) => name("MKD", it),
        Command::Mlsd(it) => list("MLSD", it),
        Command::Mlst(it) => list("MLST", it),
        Command::Mode(Mode::Stream) => word("MODE S"),
        Command::Mode(Mode::Block) => word("MODE B"),
        Command::Mode(Mode::Compressed) => word("MODE C"),
        Command::Mode(Mode::Deflate) => word("MODE Z"),
        Command::Nlst(it) => list("NLST", it),
        Command::Noop => word("NOOP"),
        Command::Opts(Opts::Utf8(on)) => word(if *on { "OPTS UTF8 ON" } else { "OPTS UTF8 OFF" }),
        Command::Opts(Opts::Mlst(it)) => list("OPTS MLST", it),
        Command::Opts(Opts::Hash(it)) => list("OPTS HASH", it),
        Command::Opts(Opts::Deflate(level)) => format!("OPTS MODE Z LEVEL {level}").into(),
        Command::Pass(secret) => list("PASS", secret.reveal()),
        Command::Pasv => word("PASV"),
        Command::Pbsz => word("PBSZ 0"),
        Command::Port(SocketAddr::V4(to)) => format!("PORT {}", host_port(*to.ip(), to.port())).into(),
        Command::Port(SocketAddr::V6(_)) => word("PORT has no such form"),
        Command::Pret => word("PRET LIST"),
        Command::Prot(Protection::Clear) => word("PROT C"),
        Command::Prot(Protection::Safe) => word("PROT S"),
        Command::Prot(Protection::Confidential) => word("PROT E"),
        Command::Prot(Protection::Private) => word("PROT P"),
        Command::Pwd => word("PWD"),
        Command::Quit => word("QUIT"),
        Command::Rang(None) => word("RANG 1 0"),
        Command::Rang(Some((first, last))) => format!("RANG {first} {last}").into(),
        Command::Rein => word("REIN"),
        Command::Rest(offset) => format!("REST {offset}").into(),
        Command::Retr(it) => name("RETR", it),
        Command::Rmd(it) => name("RMD", it),
        Command::Rmda(it) => name("RMDA", it),
        Command::Rnfr(it) => name("RNFR", it),
        Command::Rnto(it) => name("RNTO", it),
        Command::Site(site) => name("SITE", &print_site(site)),
        Command::Size(it) => name("SIZE", it),
        Command::Smnt => word("SMNT x"),
        Command::Stat(it) => maybe("STAT", it),
        Command::Stor(it) => name("STOR", it),
        Command::Stou(it) => maybe("STOU", it),
        Command::Stru(Structure::File) => word("STRU F"),
        Command::Stru(Structure::Record) => word("STRU R"),
        Command::Syst => word("SYST"),
        Command::Type(Type::Ascii) => word("TYPE A"),
        Command::Type(Type::Ebcdic) => word("TYPE E"),
        Command::Type(Type::Image) => word("TYPE I"),
        Command::User(it) => name("USER", it),
    }
}

fn print_site(site: &Site) -> Vec<u8> {
    let name = |word: &str, name: &[u8]| [word.as_bytes(), b" ", name].concat();
    let two = |word: &str, first: &[u8], second: &[u8]| name(word, &[&quoted(first)[..], &quoted(second)].join(&b' '));
    match site {
        Site::Chmod(mode, it) => name(&format!("CHMOD {mode:o}"), it),
        Site::Copy(from, to) => two("COPY", from, to),
        Site::Cpfr(it) => name("CPFR", it),
        Site::Cpto(it) => name("CPTO", it),
        Site::Help => b"HELP".to_vec(),
        Site::Idle(seconds) => seconds.map_or("IDLE".to_owned(), |seconds| format!("IDLE {seconds}")).into(),
        Site::Mkdir(it) => name("MKDIR", it),
        Site::Rmdir(it) => name("RMDIR", it),
        Site::Symlink(target, link) => two("SYMLINK", target, link),
        Site::Umask(mask) => mask.map_or("UMASK".to_owned(), |mask| format!("UMASK {mask:o}")).into(),
        // The form whose name may be anything.
        Site::Utime(time, it) => {
            let time = time.exact_time_val();
            [b"UTIME ", &it[..], format!(" {time} {time} {time} UTC").as_bytes()].concat()
        }
        Site::Who => b"WHO".to_vec(),
    }
}
