//! Numbers as text. Listings are full of them, and `core::fmt` takes several times as long.

use std::iter::repeat_n;

/// Append `number`, in base 8, 10 or 16, with `fill` in front if it has fewer than `width` digits.
pub(super) fn write<const BASE: u64>(out: &mut Vec<u8>, mut number: u64, width: usize, fill: u8) {
    let mut digits = [0; MOST];
    let mut length = 0;
    for slot in digits.iter_mut().rev() {
        let digit = (number % BASE) as u8;
        *slot = if digit < 10 { b'0' + digit } else { b'a' + digit - 10 };
        number /= BASE;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend(repeat_n(fill, width.saturating_sub(length)));
    out.extend_from_slice(digits.get(MOST - length..).unwrap_or_default());
}

/// Append `number` in decimal.
pub(super) fn decimal(out: &mut Vec<u8>, number: u64) {
    write::<10>(out, number, 1, b'0');
}

/// Append `number` in decimal, with zeros in front if it has fewer than `width` digits.
pub(super) fn zeros(out: &mut Vec<u8>, number: u64, width: usize) {
    write::<10>(out, number, width, b'0');
}

/// Digits of the largest number in base 8.
const MOST: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_format_has_them() {
        let numbers = [0, 1, 7, 8, 9, 10, 99, 100, 255, 4096, 12_345_678_901, u64::MAX - 1, u64::MAX];
        for number in numbers {
            let text = |write: &dyn Fn(&mut Vec<u8>)| {
                let mut out = b"x".to_vec();
                write(&mut out);
                String::from_utf8(out).unwrap()
            };
            assert_eq!(text(&|out| decimal(out, number)), format!("x{number}"));
            assert_eq!(text(&|out| zeros(out, number, 9)), format!("x{number:09}"));
            assert_eq!(text(&|out| write::<10>(out, number, 8, b' ')), format!("x{number:>8}"));
            assert_eq!(text(&|out| write::<16>(out, number, 1, b'0')), format!("x{number:x}"));
            assert_eq!(text(&|out| write::<8>(out, number, 4, b'0')), format!("x{number:04o}"));
        }
    }
}
