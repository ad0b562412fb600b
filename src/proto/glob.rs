//! Wildcards in the last part of a pathname, for `NLST *.txt` (ncftp, scripts).
//!
//! ```text
//! *        any octets, or none           [a-z]    one octet of these
//! ?        one octet                     [!a-z]   one octet, none of these; also [^a-z]
//! \x       x itself
//! ```
//! No braces, no recursion into directories, and time bounded by pattern times name (CVE-2011-0418 and its kin).

/// Whether `part` is to be matched at all.
pub fn has_wildcards(part: &[u8]) -> bool {
    part.iter().any(|octet| matches!(octet, b'*' | b'?' | b'['))
}

/// Whether all of `name` matches `pattern`. A leading dot is matched by a leading dot alone.
pub fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let tokens = tokens(pattern);
    if name.starts_with(b".") && !matches!(tokens.first(), Some(Token::Octet(b'.'))) {
        return false;
    }
    let (mut wanted, mut rest) = (tokens.as_slice(), name);
    // What follows the last star, and where that was last tried. An earlier star need not be tried again:
    // whatever it could take, the last one can.
    let mut retry: Option<(&[Token<'_>], &[u8])> = None;
    loop {
        match (wanted, rest) {
            ([], []) => return true,
            ([Token::Star, next @ ..], _) => {
                retry = Some((next, rest));
                wanted = next;
            }
            ([token, next @ ..], [octet, others @ ..]) if token.admits(*octet) => (wanted, rest) = (next, others),
            _ => {
                let Some((after, [_, others @ ..])) = retry else { return false };
                retry = Some((after, others));
                (wanted, rest) = (after, others);
            }
        }
    }
}

/// A piece of a pattern.
enum Token<'a> {
    Star,
    /// `?`
    Any,
    Octet(u8),
    Class {
        negated: bool,
        /// What stands between the brackets.
        items: &'a [u8],
    },
}

impl Token<'_> {
    fn admits(&self, octet: u8) -> bool {
        match self {
            Self::Star => false,
            Self::Any => true,
            Self::Octet(own) => *own == octet,
            Self::Class { negated, items } => has(items, octet) != *negated,
        }
    }
}

fn tokens(pattern: &[u8]) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(pattern.len());
    // Where one bracket is not closed, none after it is: without this, `[[[[…` would take its length squared.
    let mut may_close = true;
    let mut rest = pattern;
    while let Some((octet, literal, after)) = take(rest) {
        rest = after;
        let token = match octet {
            _ if literal => Token::Octet(octet),
            b'*' => Token::Star,
            b'?' => Token::Any,
            b'[' if may_close => match class(after) {
                Some((class, after)) => {
                    rest = after;
                    class
                }
                None => {
                    may_close = false;
                    Token::Octet(octet)
                }
            },
            _ => Token::Octet(octet),
        };
        tokens.push(token);
    }
    tokens
}

/// The class behind a `[`, and what follows it; none if it is not closed.
fn class(pattern: &[u8]) -> Option<(Token<'_>, &[u8])> {
    let (negated, items) = match pattern {
        [b'!' | b'^', items @ ..] => (true, items),
        items => (false, items),
    };
    // As in POSIX, a `]` that comes first is one of the items.
    let (_, _, mut rest) = take(items)?;
    loop {
        let (octet, literal, after) = take(rest)?;
        if octet == b']' && !literal {
            let items = items.get(..items.len() - rest.len())?;
            return Some((Token::Class { negated, items }, after));
        }
        rest = after;
    }
}

fn has(mut items: &[u8], octet: u8) -> bool {
    while let Some((low, _, rest)) = take(items) {
        let end = rest.strip_prefix(b"-").and_then(take);
        let (high, rest) = end.map_or((low, rest), |(high, _, rest)| (high, rest));
        if (low..=high).contains(&octet) {
            return true;
        }
        items = rest;
    }
    false
}

/// The first octet, whether a backslash made it literal, and the rest.
fn take(pattern: &[u8]) -> Option<(u8, bool, &[u8])> {
    match pattern {
        [b'\\', octet, rest @ ..] => Some((*octet, true, rest)),
        [octet, rest @ ..] => Some((*octet, false, rest)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (part, expected) in [("a*", true), ("?", true), ("[a", true), ("a]{b}\\~", false), ("", false)] {
            assert_eq!(has_wildcards(part.as_bytes()), expected, "{part}");
        }
    }

    #[test]
    fn matching() {
        for (pattern, yes, no) in [
            ("", &[""][..], &["a"][..]),
            ("a", &["a"], &["", "b", "aa", "A"]),
            ("*", &["", "a", "a.b"], &[".", ".a"]),
            (".*", &[".", ".a", "..."], &["a", ""]),
            ("\\.*", &[".a"], &["a"]),
            ("?a", &["ba"], &[".a", "a"]),
            ("[.]a", &[], &[".a"]),
            ("*.txt", &["a.txt", "a.txt.txt"], &[".txt", "a.txtx", "txt"]),
            ("a*b*c", &["abc", "aXbYc", "abcbc"], &["ab", "ac", "abcd"]),
            ("**a**", &["a", "bab"], &["b"]),
            ("a?c", &["abc", "a\u{1}c"], &["ac", "abbc"]),
            ("[a-c]", &["a", "b", "c"], &["d", "-", "", "ab"]),
            ("[!a-c]x", &["dx"], &["ax", "x"]),
            ("[^a-c]x", &["dx"], &["bx"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("[-a]", &["a", "-"], &["b"]),
            ("[c-a]", &[], &["a", "b", "c"]),
            ("[]a]", &["]", "a"], &["b", "[]a]"]),
            ("[!]a]", &["b"], &["]", "a"]),
            ("[\\]a]", &["]", "a"], &["\\"]),
            ("[a*]x", &["*x", "ax"], &["aax"]),
            ("[", &["["], &["a"]),
            ("[]", &["[]"], &["", "]"]),
            ("[a-c", &["[a-c"], &["a", "b"]),
            ("[[a]", &["[", "a"], &["[a"]),
            ("x[*", &["x[", "x[y"], &["x"]),
            ("\\*", &["*"], &["a", "\\*"]),
            ("a\\", &["a\\"], &["a"]),
        ] {
            yes.iter().for_each(|name| assert!(matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}"));
            no.iter().for_each(|name| assert!(!matches(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}"));
        }
    }

    /// Minutes or years if any of these is worse than pattern times name.
    #[test]
    fn bug_10_hostile_patterns_take_little_time() {
        let name = [b'a'; 4000];
        let ends_in_b = |part: &[u8]| [&part.repeat(2000), &b"b"[..]].concat();
        assert!(!matches(&ends_in_b(b"a*"), &name));
        assert!(!matches(&ends_in_b(b"*[a]"), &name));
        assert!(!matches(&ends_in_b(b"*"), &name));
        assert!(!matches(&ends_in_b(b"["), &name));
        assert!(!matches(&ends_in_b(b"*["), &name));
        assert!(!matches(&ends_in_b(b"[\\]"), &name));
    }

    /// Against the definition, on every short pattern and name of a small alphabet.
    #[test]
    fn stars_agree_with_their_definition() {
        fn defined(pattern: &[u8], name: &[u8]) -> bool {
            match (pattern, name) {
                ([], []) => true,
                ([b'*', p @ ..], [_, n @ ..]) => defined(p, name) || defined(pattern, n),
                ([b'*', p @ ..], []) => defined(p, name),
                ([b'?', p @ ..], [_, n @ ..]) => defined(p, n),
                ([x, p @ ..], [y, n @ ..]) => x == y && defined(p, n),
                _ => false,
            }
        }
        let words = |alphabet: &[u8], longest: u32| -> Vec<Vec<u8>> {
            let base = alphabet.len();
            let numbers = (0..=longest).flat_map(|length| (0..base.pow(length)).map(move |number| (length, number)));
            numbers.map(|(length, n)| (0..length).map(|at| alphabet[n / base.pow(at) % base]).collect()).collect()
        };
        let names = words(b"ab", 6);
        for pattern in words(b"ab*?", 5) {
            for name in &names {
                assert_eq!(matches(&pattern, name), defined(&pattern, name), "{pattern:?} {name:?}");
            }
        }
    }
}
