//! Replies: a code and text, one line or more (RFC 959 §4.2).

use std::borrow::Cow;

use super::digits;
use super::line::escape;

/// What a reply says. Named for events; two may share a number. The numbers are those of RFC 959 §5.4
/// and of the RFC that defines the verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say what happened")]
pub enum Code {
    RestartMarker,
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
    EnteringLongPassive,
    LoggedIn,
    LoggedInByCertificate,
    ProceedWithSecurity,
    FileActionDone,
    Md5Is,
    PathnameIs,
    NeedPassword,
    NeedMoreInformation,
    Leaving,
    HandshakeFailed,
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
    BadLongFamily,
    DataUnprotected,
    BadProtocolFamily,
    DataTlsFailed,
    NotLoggedIn,
    NotProtected,
    PolicyForbids,
    LevelNotSupported,
    FileUnavailable,
    NoSpace,
    NameNotAllowed,
    BadRestart,
}

impl Code {
    /// The three digits.
    pub fn number(self) -> u16 {
        match self {
            Self::RestartMarker => 110,
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
            // RFC 1639 §4.
            Self::EnteringLongPassive => 228,
            Self::EnteringExtendedPassive => 229,
            Self::LoggedIn => 230,
            // RFC 4217 §11.
            Self::LoggedInByCertificate => 232,
            Self::ProceedWithSecurity => 234,
            Self::FileActionDone => 250,
            // draft-twine-ftpmd5 §3.1.
            Self::Md5Is => 251,
            Self::PathnameIs => 257,
            Self::NeedPassword => 331,
            Self::NeedMoreInformation => 350,
            // Nobody hears the second.
            Self::Leaving | Self::HandshakeFailed => 421,
            Self::CannotOpenData => 425,
            Self::TransferAborted => 426,
            Self::FileBusy => 450,
            Self::LocalError => 451,
            Self::SyntaxError | Self::WrongProtocol | Self::LineTooLong => 500,
            Self::ArgumentError => 501,
            Self::NotOffered => 502,
            Self::BadSequence => 503,
            Self::NotForThatParameter => 504,
            // RFC 1639 §3; RFC 4217 §10.2.
            Self::BadLongFamily | Self::DataUnprotected => 521,
            // RFC 2428 §2; RFC 4217 §10.2.
            Self::BadProtocolFamily | Self::DataTlsFailed => 522,
            Self::NotLoggedIn => 530,
            // RFC 2228 §5.
            Self::NotProtected => 533,
            Self::PolicyForbids => 534,
            Self::LevelNotSupported => 536,
            Self::FileUnavailable => 550,
            Self::NoSpace => 552,
            Self::NameNotAllowed => 553,
            // RFC 1123 §4.1.3.4 names no code for it; 554 is what servers answer and clients know.
            Self::BadRestart => 554,
        }
    }

    /// Whether the control connection is closed after it.
    pub fn ends_session(self) -> bool {
        matches!(self, Self::Goodbye | Self::Leaving | Self::HandshakeFailed | Self::WrongProtocol)
    }
}

/// A reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: Code,
    /// One, or more.
    lines: Vec<Vec<u8>>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: Code, text: impl AsRef<[u8]>) -> Self {
        Self { code, lines: vec![text.as_ref().to_vec()] }
    }

    /// Nothing to be said any more: the reply has gone already, or nobody would hear it.
    pub fn silence(code: Code) -> Self {
        Self { code, lines: Vec::new() }
    }

    /// A reply of several lines: the first, any number between, and the last. The space in front of
    /// those between keeps them from looking like the last one (RFC 959 §4.2), and is what RFC 2389 §3.2
    /// and RFC 3659 §7.2 ask for.
    pub fn lines<T: AsRef<[u8]>>(code: Code, first: &str, between: impl IntoIterator<Item = T>, last: &str) -> Self {
        let mut lines = vec![first.as_bytes().to_vec()];
        lines.extend(between.into_iter().map(|line| line.as_ref().to_vec()));
        lines.push(last.as_bytes().to_vec());
        Self { code, lines }
    }

    /// Append what goes over the control connection; `to_wire` gives a line the client's charset.
    pub fn write<'l>(&'l self, to_wire: impl Fn(&'l [u8]) -> Cow<'l, [u8]>, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            if index == 0 || index == last {
                digits::decimal(out, self.code.number().into());
                out.push(if index == last { b' ' } else { b'-' });
            } else {
                out.push(b' ');
            }
            escape(&to_wire(line), out);
            out.extend(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets(reply: &Reply) -> Vec<u8> {
        let mut out = Vec::new();
        reply.write(Cow::Borrowed, &mut out);
        out
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(octets(&Reply::new(Code::Done, "OK")), b"200 OK\r\n");
        let reply = Reply::lines(Code::SystemStatus, "Features:", ["SIZE", "UTF8"], "End");
        assert_eq!(octets(&reply), b"211-Features:\r\n SIZE\r\n UTF8\r\n211 End\r\n");
    }

    #[test]
    fn bug_18_text_never_ends_a_line() {
        let reply = Reply::new(Code::PathnameIs, b"\"a\r\n221 b\xff\"");
        assert_eq!(octets(&reply), b"257 \"a\r\0?221 b\xff\xff\"\r\n");
        let mut out = Vec::new();
        Reply::new(Code::PathnameIs, "a").write(|_| b"\xff".into(), &mut out);
        assert_eq!(out, b"257 \xff\xff\r\n", "escaped last");
    }
}
