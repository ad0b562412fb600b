//! suppaftp over everything it can do. It aborts the transfer of a large file, `/sparse`.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::Duration;

use suppaftp::list::{File, ListParser};
use suppaftp::types::{FileType, Mode};
use suppaftp::{Encoding, FtpError, FtpResult, FtpStream, Status};

const NAMES: [&str; 5] =
    ["plain", "with  spaces", "#hash & 100%", "\u{fc}n\u{ef}code \u{4e2d} \u{1f600}", "'q' (x); a=b"];

pub fn run(address: SocketAddr, octets: &[u8], names_of_octets: bool) {
    for mode in [Mode::ExtendedPassive, Mode::Passive, Mode::Active] {
        // PASV has no form for IPv6.
        if address.is_ipv4() || mode != Mode::Passive {
            utf8(&mut connect(address, mode), octets).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            if names_of_octets {
                any_octets(&mut connect(address, mode), octets).unwrap_or_else(|error| panic!("{mode:?}: {error}"));
            }
        }
    }
}

fn connect(address: SocketAddr, mode: Mode) -> FtpStream {
    let mut ftp = FtpStream::connect_timeout(address, Duration::from_secs(20)).unwrap();
    ftp.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    ftp.set_mode(mode);
    ftp.login("u", "p").unwrap();
    ftp.transfer_type(FileType::Binary).unwrap();
    ftp
}

fn utf8(ftp: &mut FtpStream, octets: &[u8]) -> FtpResult<()> {
    assert!(ftp.feat()?.contains_key("MLST"));
    ftp.mkdir("made")?;
    ftp.mkdir("made/d\u{fc}r #1")?;
    ftp.cwd("made/d\u{fc}r #1")?;
    assert_eq!(ftp.pwd()?, "/made/d\u{fc}r #1");
    for (number, name) in NAMES.into_iter().enumerate() {
        ftp.put_file(name, &mut &octets[..number])?;
        assert_eq!(ftp.retr_as_buffer(name)?.into_inner(), octets[..number]);
    }
    let sorted = |mut names: Vec<String>| {
        names.sort();
        names
    };
    let expected = sorted(NAMES.map(str::to_owned).to_vec());
    assert_eq!(sorted(ftp.nlst(None)?), expected);
    let names = |lines: Vec<String>, parse: fn(&str) -> Result<File, _>| {
        sorted(lines.iter().map(|line| parse(line).unwrap().name().to_owned()).collect())
    };
    assert_eq!(names(ftp.list(None)?, ListParser::parse_posix), expected);
    assert_eq!(names(ftp.mlsd(None)?, ListParser::parse_mlsd), expected);

    // Resume down and up, and append.
    ftp.cdup()?;
    assert_eq!(ftp.put_file("large", &mut &octets[..1_000_000])?, 1_000_000);
    ftp.resume_transfer(1_000_000)?;
    ftp.put_file("large", &mut &octets[1_000_000..])?;
    ftp.resume_transfer(2_000_000)?;
    assert!(ftp.retr_as_buffer("large")?.into_inner() == octets[2_000_000..]);
    ftp.append_file("large", &mut &octets[..5])?;
    assert!(ftp.retr_as_buffer("large")?.into_inner() == [octets, &octets[..5]].concat());

    ftp.rename("large", "re named")?;
    assert!(
        matches!(ftp.size("large"), Err(FtpError::UnexpectedResponse(reply)) if reply.status == Status::FileUnavailable)
    );
    assert_eq!(ftp.size("re named")?, octets.len() + 5);
    ftp.custom_command("MFMT 20010203040506 re named", &[Status::File])?;
    assert_eq!(ftp.mdtm("re named")?.and_utc().timestamp(), 981_173_106);
    let facts = ListParser::parse_mlst(&ftp.mlst(Some("re named"))?).unwrap();
    assert!(facts.is_file() && facts.size() == octets.len() + 5);
    assert_eq!(facts.modified().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 981_173_106);

    let mut transfer = ftp.retr_as_stream("/sparse")?;
    transfer.read_exact(&mut [0; 100]).unwrap();
    ftp.abort(transfer)?;
    ftp.noop()?;

    ftp.rm("re named")?;
    for name in NAMES {
        ftp.rm(format!("d\u{fc}r #1/{name}"))?;
    }
    ftp.rmdir("d\u{fc}r #1")?;
    ftp.cdup()?;
    ftp.rmdir("made")?;
    ftp.quit()
}

/// Each octet is a character, so that any name can be said.
#[derive(Debug)]
struct Latin1;

impl Encoding for Latin1 {
    fn decode(&self, octets: &[u8]) -> String {
        octets.iter().map(|octet| char::from(*octet)).collect()
    }

    fn encode(&self, text: &str) -> io::Result<Vec<u8>> {
        text.chars().map(|character| u8::try_from(character).map_err(io::Error::other)).collect()
    }
}

fn any_octets(ftp: &mut FtpStream, octets: &[u8]) -> FtpResult<()> {
    let (directory, name) = ("latin \u{e9} d", "\u{ff}\u{fe} x \u{e9}\u{ff}");
    ftp.set_encoding(Latin1);
    ftp.mkdir(directory)?;
    ftp.cwd(directory)?;
    assert_eq!(ftp.pwd()?, format!("/{directory}"));
    ftp.put_file(name, &mut &octets[..])?;
    assert!(ftp.retr_as_buffer(name)?.into_inner() == octets);
    assert_eq!(ftp.nlst(None)?, [name]);
    assert_eq!(ListParser::parse_mlsd(&ftp.mlsd(None)?[0]).unwrap().name(), name);
    // The name may be a path.
    assert!(ListParser::parse_mlst(&ftp.mlst(Some(name))?).unwrap().name().ends_with(name));
    ftp.rm(name)?;
    ftp.cdup()?;
    ftp.rmdir(directory)?;
    ftp.quit()
}
