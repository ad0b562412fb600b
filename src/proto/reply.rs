//! Replies: a code and text, one line or more (RFC 959 §4.2).

use super::line::escape;

/// What a reply says. Named for events; two may share a number. The numbers are those of RFC 959 §5.4
/// and of the RFC that defines the verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say what happened")]
pub enum Code {
    AboutToTransfer,
    Done,
    Superfluous,
    SystemStatus,
    DirectoryStatus,
    FileStatus,
    HelpText,
    SystemType,
    ReadyForUser,
    Goodbye,
    TransferComplete,
    AbortComplete,
    EnteringPassive,
    EnteringExtendedPassive,
    LoggedIn,
    FileActionDone,
    PathnameIs,
    NeedPassword,
    NeedMoreInformation,
    Leaving,
    CannotOpenData,
    TransferAborted,
    FileBusy,
    LocalError,
    SyntaxError,
    WrongProtocol,
    LineTooLong,
    ArgumentError,
    NotOffered,
    BadSequence,
    NotForThatParameter,
    BadProtocolFamily,
    NotLoggedIn,
    FileUnavailable,
    NoSpace,
    NameNotAllowed,
    BadRestart,
}

impl Code {
    /// The three digits.
    pub fn number(self) -> u16 {
        match self {
            Self::AboutToTransfer => 150,
            Self::Done => 200,
            Self::Superfluous => 202,
            Self::SystemStatus => 211,
            Self::DirectoryStatus => 212,
            Self::FileStatus => 213,
            Self::HelpText => 214,
            Self::SystemType => 215,
            Self::ReadyForUser => 220,
            Self::Goodbye => 221,
            Self::TransferComplete | Self::AbortComplete => 226,
            Self::EnteringPassive => 227,
            Self::EnteringExtendedPassive => 229,
            Self::LoggedIn => 230,
            Self::FileActionDone => 250,
            Self::PathnameIs => 257,
            Self::NeedPassword => 331,
            Self::NeedMoreInformation => 350,
            Self::Leaving => 421,
            Self::CannotOpenData => 425,
            Self::TransferAborted => 426,
            Self::FileBusy => 450,
            Self::LocalError => 451,
            Self::SyntaxError | Self::WrongProtocol | Self::LineTooLong => 500,
            Self::ArgumentError => 501,
            Self::NotOffered => 502,
            Self::BadSequence => 503,
            Self::NotForThatParameter => 504,
            // RFC 2428 §2.
            Self::BadProtocolFamily => 522,
            Self::NotLoggedIn => 530,
            Self::FileUnavailable => 550,
            Self::NoSpace => 552,
            Self::NameNotAllowed => 553,
            // RFC 1123 §4.1.3.4 names no code for it; 554 is what servers answer and clients know.
            Self::BadRestart => 554,
        }
    }

    /// Whether the control connection is closed after it.
    pub fn ends_session(self) -> bool {
        matches!(self, Self::Goodbye | Self::Leaving | Self::WrongProtocol)
    }
}

/// A reply, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: Code,
    octets: Vec<u8>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: Code, text: impl AsRef<[u8]>) -> Self {
        let mut octets = Vec::with_capacity(text.as_ref().len() + 8);
        push_line(&mut octets, code, b' ', text.as_ref());
        Self { code, octets }
    }

    /// A reply of several lines: the first, any number between, and the last. The space in front of
    /// those between keeps them from looking like the last one (RFC 959 §4.2), and is what RFC 2389 §3.2
    /// and RFC 3659 §7.2 ask for.
    pub fn lines<T: AsRef<[u8]>>(code: Code, first: &str, between: impl IntoIterator<Item = T>, last: &str) -> Self {
        let mut octets = Vec::new();
        push_line(&mut octets, code, b'-', first.as_bytes());
        for line in between {
            octets.push(b' ');
            escape(line.as_ref(), &mut octets);
            octets.extend(b"\r\n");
        }
        push_line(&mut octets, code, b' ', last.as_bytes());
        Self { code, octets }
    }

    /// What goes over the control connection.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }
}

fn push_line(octets: &mut Vec<u8>, code: Code, separator: u8, text: &[u8]) {
    octets.extend(code.number().to_string().into_bytes());
    octets.push(separator);
    escape(text, octets);
    octets.extend(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_and_several() {
        assert_eq!(Reply::new(Code::Done, "OK").octets(), b"200 OK\r\n");
        let reply = Reply::lines(Code::SystemStatus, "Features:", ["SIZE", "UTF8"], "End");
        assert_eq!(reply.octets(), b"211-Features:\r\n SIZE\r\n UTF8\r\n211 End\r\n");
    }

    #[test]
    fn text_never_ends_a_line() {
        let reply = Reply::new(Code::PathnameIs, b"\"a\r\n221 b\xff\"");
        assert_eq!(reply.octets(), b"257 \"a\r\0?221 b\xff\xff\"\r\n");
    }
}
