//! Transfer parameters: TYPE, STRU, MODE (RFC 959 §4.1.2), REST (RFC 3659 §5), RANG, OPTS (RFC 2389 §4),
//! ALLO, AVBL.

use super::Session;
use super::state::Start;
use crate::env::Env;
use crate::proto::checksum::Algorithm;
use crate::proto::command::Opts;
use crate::proto::facts::Facts;
use crate::proto::reply::{Code, Reply};
use crate::proto::wire::{Mode, Structure, Type};

impl<E: Env> Session<'_, E> {
    pub(super) fn represent(&mut self, representation: Type) -> Reply {
        self.parameters.format.representation = representation;
        Reply::new(Code::Done, format!("Type is {}", type_code(representation)))
    }

    pub(super) fn structure(&mut self, structure: Structure) -> Reply {
        self.parameters.format.structure = structure;
        Reply::new(Code::Done, format!("Structure is {}", structure_code(structure)))
    }

    pub(super) fn mode(&mut self, mode: Mode) -> Reply {
        self.parameters.format.mode = mode;
        Reply::new(Code::Done, format!("Mode is {}", mode_code(mode)))
    }

    /// REST. What the offset means is known only when the transfer begins (RFC 3659 §5).
    pub(super) fn restart(&mut self, offset: u64) -> Reply {
        self.parameters.start = if offset == 0 { Start::Whole } else { Start::At(offset) };
        Reply::new(Code::NeedMoreInformation, format!("Restarting at {offset}"))
    }

    /// RANG (draft-bryan-ftp-range §3). It takes the place of a REST.
    pub(super) fn range(&mut self, range: Option<(u64, u64)>) -> Reply {
        let (start, text) = match range {
            Some((first, last)) => {
                (Start::Range(first, last), format!("Restarting at {first}. End Byte range at {last}."))
            }
            None => (Start::Whole, "The whole file".to_owned()),
        };
        self.parameters.start = start;
        Reply::new(Code::NeedMoreInformation, text)
    }

    pub(super) fn set_options(&mut self, options: Opts) -> Result<Reply, Reply> {
        let text = match options {
            Opts::Utf8(wanted) => {
                self.parameters.utf8 = Some(wanted);
                self.choose_names();
                format!("Pathnames are in {}", self.control.names.charset())
            }
            Opts::Mlst(list) => {
                self.parameters.facts = Facts::select(&list);
                // RFC 3659 §7.9: with an empty list goes the space in front of it.
                format!("MLST OPTS {}", self.parameters.facts.names()).trim_end().to_owned()
            }
            Opts::Hash(name) if name.is_empty() => self.parameters.algorithm.name().to_owned(),
            Opts::Hash(name) => {
                let unknown = || Reply::new(Code::ArgumentError, "Unknown algorithm, current selection not changed");
                self.parameters.algorithm = Algorithm::find(&name).ok_or_else(unknown)?;
                self.parameters.algorithm.name().to_owned()
            }
            Opts::Deflate(level) => {
                self.parameters.level = level;
                format!("MODE Z LEVEL set to {level}")
            }
        };
        Ok(Reply::new(Code::Done, text))
    }

    /// ALLO (RFC 959 §4.1.3) says early that the disk is too small, and has the next file that is stored begin with
    /// room for so much. Some cameras take a 202 for a failure.
    pub(super) async fn allocate(&mut self, size: u64) -> Result<Reply, Reply> {
        match self.env.space(&self.user()?.volume).await {
            Ok(space) if space < size => Err(Reply::new(Code::NoSpace, "Not enough space")),
            _ => {
                self.parameters.allocated = Some(size);
                Ok(Reply::new(Code::Done, "OK"))
            }
        }
    }

    /// AVBL: octets that may be written into a directory (draft-peterson-streamlined §4).
    pub(super) async fn available(&self, name: &[u8]) -> Result<Reply, Reply> {
        self.directory(name).await?;
        Ok(Reply::new(Code::FileStatus, self.env.space(&self.user()?.volume).await?.to_string()))
    }
}

/// As TYPE has it.
pub(super) fn type_code(representation: Type) -> &'static str {
    match representation {
        Type::Ascii => "A N",
        Type::Ebcdic => "E N",
        Type::Image => "I",
    }
}

/// As STRU has it.
pub(super) fn structure_code(structure: Structure) -> &'static str {
    match structure {
        Structure::File => "F",
        Structure::Record => "R",
    }
}

/// As MODE has it.
pub(super) fn mode_code(mode: Mode) -> &'static str {
    match mode {
        Mode::Stream => "S",
        Mode::Block => "B",
        Mode::Compressed => "C",
        Mode::Deflate => "Z",
    }
}
