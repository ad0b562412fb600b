//! Options of LIST, NLST and STAT, as of `ls`.

/// How a listing is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `-a`: names that begin with a dot too, and `.` and `..`; `-A`: without these two.
    pub all: All,
    /// `-1` without an `-l` behind it: names alone.
    pub names_only: bool,
    /// `-R`: directories inside, too.
    pub recursive: bool,
    /// `-t` or `-S`, the last of them.
    pub order: Order,
    /// `-r`: the other way round.
    pub reverse: bool,
    /// `-d`: the directory, not what it holds.
    pub directory: bool,
}

/// Which names are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum All {
    /// Those that do not begin with a dot.
    #[default]
    Visible,
    /// Every one but `.` and `..`.
    Almost,
    /// These too.
    Everything,
}

/// What comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// The newest.
    Time,
    /// The largest.
    Size,
}

impl Options {
    /// Split an argument into options and what follows them. The letters that mean nothing here are passed
    /// over, as `-n` and `-F`: what they ask for is so or makes no difference.
    ///
    /// Many clients send `-a`, `-al` or `-aln`, some with a pathname behind. An option is `-` and letters
    /// or digits; `--` ends them. One space after an option belongs to it, so that a name may begin with the
    /// next.
    pub fn split(argument: &[u8]) -> (Self, &[u8]) {
        let (mut options, mut rest) = (Self::default(), argument);
        loop {
            let mut words = rest.splitn(2, |&octet| octet == b' ');
            let word = words.next().unwrap_or_default();
            if word != b"--" && !is_option(word) {
                return (options, rest);
            }
            rest = words.next().unwrap_or_default();
            if word == b"--" {
                return (options, rest);
            }
            word.iter().for_each(|&letter| options.add(letter));
        }
    }

    fn add(&mut self, letter: u8) {
        match letter {
            b'a' => self.all = All::Everything,
            b'A' if self.all == All::Visible => self.all = All::Almost,
            b'l' => self.names_only = false,
            b'1' => self.names_only = true,
            b'R' => self.recursive = true,
            b't' => self.order = Order::Time,
            b'S' => self.order = Order::Size,
            b'r' => self.reverse = true,
            b'd' => self.directory = true,
            _ => {}
        }
    }
}

fn is_option(word: &[u8]) -> bool {
    matches!(word, [b'-', letters @ ..] if !letters.is_empty() && letters.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_and_what_follows() {
        for (argument, rest) in [
            ("", ""),
            ("dir", "dir"),
            ("-a", ""),
            ("-a ", ""),
            ("-a -l", ""),
            ("-aln dir", "dir"),
            ("-la /x y", "/x y"),
            ("-a -l -1 x -l", "x -l"),
            ("-a  x", " x"),
            (" -a", " -a"),
            ("-", "-"),
            ("-a -", "-"),
            ("-- -a", "-a"),
            ("-l -- -a b", "-a b"),
            ("--", ""),
            ("--all", "--all"),
            ("-a.txt", "-a.txt"),
            ("-a -a", ""),
        ] {
            assert_eq!(Options::split(argument.as_bytes()).1, rest.as_bytes(), "{argument:?}");
        }
    }

    #[test]
    fn letters() {
        let of = |argument: &str| Options::split(argument.as_bytes()).0;
        let none = Options::default();
        assert_eq!(of("-n -F"), none);
        assert_eq!(of("-aA"), Options { all: All::Everything, ..none });
        assert_eq!(of("-A"), Options { all: All::Almost, ..none });
        assert_eq!(of("-l1"), Options { names_only: true, ..none });
        assert_eq!(of("-1 -l"), none);
        assert_eq!(of("-ltr"), Options { order: Order::Time, reverse: true, ..none });
        assert_eq!(of("-tS"), Options { order: Order::Size, ..none });
        assert_eq!(of("-Rd"), Options { recursive: true, directory: true, ..none });
    }
}
