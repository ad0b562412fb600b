//! Moments as FTP writes them: time-val (RFC 3659 §2.3) and the date column of LIST. All in UTC.

use crate::proto::digits::{self, zeros};
use crate::proto::entry::Time;

/// A moment as a calendar and a clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year of the Gregorian calendar, carried back before its time.
    pub year: i64,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

impl Time {
    /// ```text
    /// time-val = 14DIGIT [ "." 1*DIGIT ]      YYYYMMDDHHMMSS.F, RFC 3659 §2.3
    /// ```
    pub fn from_time_val(octets: &[u8]) -> Option<Self> {
        let (whole, fraction) = octets.split_at_checked(14)?;
        let nanoseconds = match fraction {
            [] => 0,
            [b'.', digits @ ..] => nanoseconds(digits)?,
            _ => return None,
        };
        let mut pairs = [0; 7];
        for (number, digits) in pairs.iter_mut().zip(whole.chunks(2)) {
            *number = digits.iter().try_fold(0, |number: u8, &octet| Some(number * 10 + digit(octet)?))?;
        }
        let [century, year, month, day, hour, minute, second] = pairs;
        let year = i64::from(century) * 100 + i64::from(year);
        let valid = (1..=days_in_month(year, month)).contains(&day) && hour < 24 && minute < 60 && second <= 60;
        // RFC 3659 §2.3: 60 is a leap second; Unix time has none.
        let civil = Civil { year, month, day, hour, minute, second: second.min(59) };
        valid.then(|| Self { seconds: civil.seconds(), nanoseconds })
    }

    /// `YYYYMMDDHHMMSS`.
    pub fn time_val(self) -> String {
        text(|out| self.write_time_val(out))
    }

    /// With the fraction of the second, as far as it is known.
    pub fn exact_time_val(self) -> String {
        text(|out| self.write_exact_time_val(out))
    }

    fn write_time_val(self, out: &mut Vec<u8>) {
        let Civil { year, month, day, hour, minute, second } = self.printable().civil();
        zeros(out, year.unsigned_abs(), 4);
        [month, day, hour, minute, second].into_iter().for_each(|part| zeros(out, part.into(), 2));
    }

    /// Append [`exact_time_val`](Self::exact_time_val).
    pub fn write_exact_time_val(self, out: &mut Vec<u8>) {
        self.write_time_val(out);
        if self.nanoseconds > 0 {
            out.push(b'.');
            // basic-ftp takes fewer than three digits for milliseconds.
            let least = out.len() + 3;
            zeros(out, self.nanoseconds.min(999_999_999).into(), 9);
            let spare = out.iter().rev().take_while(|&&digit| digit == b'0').count();
            out.truncate(least.max(out.len() - spare));
        }
    }

    /// What calendar and clock show, for any moment.
    pub fn civil(self) -> Civil {
        let days = self.seconds.div_euclid(DAY) + DAYS_BEFORE_1970;
        let of_day = self.seconds.rem_euclid(DAY);
        // Years begin in March here, so that the leap day is their last.
        let (era, of_era) = (days.div_euclid(DAYS_IN_ERA), days.rem_euclid(DAYS_IN_ERA));
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let (carry, month_from_january) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
        Civil {
            year: era * 400 + year + carry,
            month: month_from_january as u8,
            day: (of_year - (153 * month + 2) / 5 + 1) as u8,
            hour: (of_day / 3600) as u8,
            minute: (of_day / 60 % 60) as u8,
            second: (of_day % 60) as u8,
        }
    }

    /// Append it as `ls -l` does: the time of day for what is recent, the year for what is not. Twelve octets.
    pub fn write_ls_date(self, now: Self, out: &mut Vec<u8>) {
        let Civil { year, month, day, hour, minute, .. } = self.printable().civil();
        let month = MONTHS.get(usize::from(month).wrapping_sub(1)).unwrap_or(&"???");
        out.extend_from_slice(month.as_bytes());
        digits::write::<10>(out, day.into(), 3, b' ');
        let age = now.seconds.saturating_sub(self.seconds);
        if (-DAY..HALF_YEAR).contains(&age) {
            out.push(b' ');
            zeros(out, hour.into(), 2);
            out.push(b':');
            zeros(out, minute.into(), 2);
        } else {
            out.extend_from_slice(b"  ");
            zeros(out, year.unsigned_abs(), 4);
        }
    }

    /// The nearest moment whose year has four digits.
    fn printable(self) -> Self {
        Self { seconds: self.seconds.clamp(YEAR_0, YEAR_9999_END), ..self }
    }
}

impl Civil {
    /// Seconds since 1970; the inverse of [`Time::civil`] for years of four digits.
    fn seconds(self) -> i64 {
        let month = i64::from(self.month);
        let (year, month) = if month > 2 { (self.year, month - 3) } else { (self.year - 1, month + 9) };
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + i64::from(self.day) - 1;
        let days = era * DAYS_IN_ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - DAYS_BEFORE_1970;
        days * DAY + i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

/// What `write` appends.
fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 0,
    }
}

/// A fraction of a second; what is finer than a nanosecond is cut off.
fn nanoseconds(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let padded = digits.iter().copied().chain(std::iter::repeat(b'0'));
    padded.take(9).try_fold(0, |number: u32, octet| Some(number * 10 + u32::from(digit(octet)?)))
}

fn digit(octet: u8) -> Option<u8> {
    octet.is_ascii_digit().then(|| octet - b'0')
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds.
const DAY: i64 = 86_400;

/// Seconds in half a mean year: how long `ls` calls a file recent, and clients guess the year.
const HALF_YEAR: i64 = 31_556_952 / 2;

/// Days in 400 years, after which the calendar repeats.
const DAYS_IN_ERA: i64 = 146_097;

/// Days from the first of March of the year 0 to 1970.
const DAYS_BEFORE_1970: i64 = 719_468;

/// Seconds: the first that a time-val can say, 0000-01-01T00:00:00Z.
const YEAR_0: i64 = -62_167_219_200;

/// Seconds: the last that a time-val can say, 9999-12-31T23:59:59Z.
const YEAR_9999_END: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time { seconds, nanoseconds: 0 }
    }

    fn ls_date(time: Time, now: Time) -> String {
        text(|out| time.write_ls_date(now, out))
    }

    #[test]
    fn known_moments_both_ways() {
        for (seconds, text) in [
            (0, "19700101000000"),
            (-1, "19691231235959"),
            (951_782_400, "20000229000000"),
            (1_767_225_600, "20260101000000"),
            (2_147_483_648, "20380119031408"),
            (4_107_542_399, "21000228235959"),
            (YEAR_0, "00000101000000"),
            (YEAR_9999_END, "99991231235959"),
        ] {
            assert_eq!(at(seconds).time_val(), text);
            assert_eq!(Time::from_time_val(text.as_bytes()), Some(at(seconds)), "{text}");
        }
    }

    #[test]
    fn fractions_and_leap_seconds() {
        let time = |text: &str| Time::from_time_val(text.as_bytes()).unwrap();
        assert_eq!(time("19700101000000.5").nanoseconds, 500_000_000);
        assert_eq!(time("19700101000000.0000000019").nanoseconds, 1);
        assert_eq!(time("19981231235960"), time("19981231235959"));
        for text in ["19700101000000", "19700101000000.500", "20260101000000.000000001", "20260101000000.12034"] {
            assert_eq!(time(text).exact_time_val(), text);
        }
    }

    #[test]
    fn not_a_time() {
        for bad in [
            "",
            "2026010100000",
            "202601010000000",
            "20260101000000.",
            "20260101000000.x",
            "20260101000000,5",
            "20260001000000",
            "20261301000000",
            "20260100000000",
            "20260431000000",
            "20250229000000",
            "21000229000000",
            "20260101240000",
            "20260101006000",
            "20260101000061",
            "2026-1-1000000",
            "+2260101000000",
            " 20260101000000",
        ] {
            assert_eq!(Time::from_time_val(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn every_day_of_eight_centuries_comes_back() {
        for day in -150_000..150_000 {
            let time = at(day * DAY + 45_296);
            assert_eq!(time.civil().seconds(), time.seconds);
            assert_eq!(Time::from_time_val(time.time_val().as_bytes()), Some(time));
        }
    }

    #[test]
    fn any_moment_prints() {
        assert_eq!(at(i64::MIN).time_val(), "00000101000000");
        assert_eq!(at(i64::MAX).time_val(), "99991231235959");
        assert_eq!(at(i64::MAX).civil().year, 292_277_026_596);
        assert_eq!(at(i64::MIN).civil().year, -292_277_022_657);
        assert_eq!(ls_date(at(i64::MIN), at(i64::MAX)), "Jan  1  0000");
        assert_eq!(ls_date(at(i64::MAX), at(i64::MIN)), "Dec 31  9999");
    }

    #[test]
    fn dates_of_listings() {
        let now = at(1_767_225_600);
        assert_eq!(ls_date(now, now), "Jan  1 00:00");
        assert_eq!(ls_date(at(now.seconds + DAY), now), "Jan  2 00:00");
        assert_eq!(ls_date(at(now.seconds + DAY + 1), now), "Jan  2  2026");
        assert_eq!(ls_date(at(now.seconds - HALF_YEAR + 1), now), "Jul  2 09:05");
        assert_eq!(ls_date(at(now.seconds - HALF_YEAR), now), "Jul  2  2025");
    }
}
