//! Sizes, times and credits as people write and read them. Knows nothing of what they are amounts of.

use grove_core::limits::ITEMS_MAX;
use grove_core::units::{Credits, Millis};

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    #[error("a size is a number and a unit, such as 512MiB, 20GiB or 4096")]
    Size,
    #[error("a time is numbers and units, such as 90s, 10m, 1h30m or 30d")]
    Time,
    #[error("credits are written as 12 or 2.5, with at most 6 decimals")]
    Credits,
}

/// Why a text is no range of numbers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotARange {
    #[error("{text:?} has no `..`\nhint: a range is FIRST..END without END itself, such as 0..1000, or FIRST..=LAST")]
    NoDots { text: String },
    #[error(
        "{text:?} is where the range would {verb}, and it is not a number\nhint: digits, such as 0..1000 or 0..1_000_000"
    )]
    NotANumber { text: String, verb: &'static str },
    #[error("{text} is negative\nhint: the numbers of a range begin at 0; the tool can subtract")]
    Negative { text: String },
    #[error("{text} is larger than the largest number, {}\nhint: let the tool add what is missing", u64::MAX)]
    TooLarge { text: String },
    #[error(
        "{first} is more than {end}: the range runs backwards\nhint: the smaller number comes first, as in {end}..{first}"
    )]
    Reversed { first: u64, end: u64 },
    #[error("there are no numbers in {first}..{first}: the end is not one of them\nhint: with it: {first}..={first}")]
    Empty { first: u64 },
    #[error(
        "there are {count} numbers in the range, and a job has at most {ITEMS_MAX} inputs\n\
         hint: submit it as several jobs, or let the tool do several numbers for each input"
    )]
    TooMany { count: u64 },
}

/// `512MiB`, `20G`, `4096`: binary units, whichever way they are written.
pub fn parse_bytes(text: &str) -> Result<u64, NotAnAmount> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_' && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (number, part) = number.split_once('.').unwrap_or((number, "0"));
    let number: u64 = plain(number).ok_or(NotAnAmount::Size)?;
    // Of digits alone, so that it is below one.
    let part = plain(part).and_then(|_| format!("0.{part}").parse::<f64>().ok()).ok_or(NotAnAmount::Size)?;
    let shift = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        _ => return Err(NotAnAmount::Size),
    };
    let part = (part * (1_u64 << shift) as f64) as u64;
    number.checked_mul(1 << shift).and_then(|whole| whole.checked_add(part)).ok_or(NotAnAmount::Size)
}

/// `90s`, `1h 30m`, `30d`, `250ms`; a number alone is seconds.
pub fn parse_millis(text: &str) -> Result<Millis, NotAnAmount> {
    let mut rest = text.trim();
    let mut sum: u64 = 0;
    if rest.is_empty() {
        return Err(NotAnAmount::Time);
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(rest.len());
        let number = plain(&rest[..digits]).ok_or(NotAnAmount::Time)?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let unit: u64 = match &rest[..letters] {
            "ms" => 1,
            "" | "s" | "second" | "seconds" => 1_000,
            "m" | "min" | "minute" | "minutes" => 60_000,
            "h" | "hour" | "hours" => 3_600_000,
            "d" | "day" | "days" => 86_400_000,
            _ => return Err(NotAnAmount::Time),
        };
        rest = rest[letters..].trim_start();
        sum = number.checked_mul(unit).and_then(|span| sum.checked_add(span)).ok_or(NotAnAmount::Time)?;
    }
    Ok(Millis(sum))
}

/// `12`, `2.5`: credits, of which a millionth is the least.
pub fn parse_credits(text: &str) -> Result<Credits, NotAnAmount> {
    let text = text.trim();
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if part.len() > 6 || part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAnAmount::Credits);
    }
    let whole = plain(whole).and_then(|whole| whole.checked_mul(1_000_000));
    let micro: u64 = format!("{part:0<6}").parse().map_err(|_| NotAnAmount::Credits)?;
    whole.and_then(|whole| whole.checked_add(micro)).map(Credits).ok_or(NotAnAmount::Credits)
}

/// `0..1000` and `1..=10`: the first number and how many.
pub fn parse_range(text: &str) -> Result<(u64, u64), NotARange> {
    let (first, end) = text.split_once("..").ok_or_else(|| NotARange::NoDots { text: text.to_owned() })?;
    let first = bound(first, "begin")?;
    let (end, with_it) = end.strip_prefix('=').map_or((end, 0), |last| (last, 1));
    let end = bound(end, "end")?;
    let count = end.checked_sub(first).ok_or(NotARange::Reversed { first, end })?.saturating_add(with_it);
    match count {
        0 => Err(NotARange::Empty { first }),
        count if count > ITEMS_MAX => Err(NotARange::TooMany { count }),
        count => Ok((first, count)),
    }
}

/// One end of a range.
fn bound(text: &str, verb: &'static str) -> Result<u64, NotARange> {
    let text = text.trim();
    let is_number = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
    };
    match text.strip_prefix('-') {
        Some(rest) if is_number(rest) => Err(NotARange::Negative { text: text.to_owned() }),
        _ if !is_number(text) => Err(NotARange::NotANumber { text: text.to_owned(), verb }),
        _ => plain(text).ok_or_else(|| NotARange::TooLarge { text: text.to_owned() }),
    }
}

/// A number, perhaps with underscores; `None` for nothing and for more than 64 bits.
fn plain(text: &str) -> Option<u64> {
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Micro-credits as credits, with as many decimals as it takes, two at the least.
pub fn credits_text(micro: i128) -> String {
    let sign = if micro < 0 { "-" } else { "" };
    let magnitude = micro.unsigned_abs();
    let mut decimals = format!("{:06}", magnitude % 1_000_000);
    while decimals.len() > 2 && decimals.ends_with('0') {
        decimals.pop();
    }
    format!("{sign}{}.{decimals}", magnitude / 1_000_000)
}

/// A span of time in its two largest units.
pub fn time_text(span: Millis) -> String {
    let seconds = span.0 / 1_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes, seconds) {
        (0, 0, 0, 0) => format!("{} ms", span.0),
        (0, 0, 0, _) => format!("{seconds} s"),
        (0, 0, _, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _, _, _) => format!("{hours}h {:02}m", minutes % 60),
        _ => format!("{days}d {:02}h", hours % 24),
    }
}

/// A size in its largest binary unit, with one decimal.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let step = (bytes.ilog2() / 10).min(4);
    let tenths = (u128::from(bytes) * 10) >> (10 * step);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[step as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_times_credits_and_ranges_are_read() {
        assert_eq!(parse_bytes("20GiB"), Ok(20 << 30));
        assert_eq!(parse_bytes("512M"), Ok(512 << 20));
        assert_eq!(parse_bytes("1.5GiB"), Ok(3 << 29));
        assert_eq!(parse_bytes("0.25k"), Ok(256));
        assert_eq!(parse_bytes("1_000"), Ok(1_000));
        assert_eq!(parse_millis("1h 30m"), Ok(Millis(5_400_000)));
        assert_eq!(parse_millis("2 hours 5min"), Ok(Millis(7_500_000)));
        assert_eq!(parse_millis("250ms"), Ok(Millis(250)));
        assert_eq!(parse_millis("10"), Ok(Millis(10_000)));
        assert_eq!(parse_credits("2.5"), Ok(Credits(2_500_000)));
        assert_eq!(parse_credits("0.000001"), Ok(Credits(1)));
        assert_eq!(parse_range("0..1_000_000"), Ok((0, 1_000_000)));
        assert_eq!(parse_range("1..=10"), Ok((1, 10)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "-1", "x", "1 zb", "1.", ".5G", "1.5.0", "1._5G", "99999999999999999999", "18446744073709551615T"]
        {
            assert_eq!(parse_bytes(text), Err(NotAnAmount::Size), "{text:?}");
        }
        for text in ["", "1w", "m", "-5s", "1h-3m", "18446744073709551615d"] {
            assert_eq!(parse_millis(text), Err(NotAnAmount::Time), "{text:?}");
        }
        for text in ["", "1.", ".5", "1.0000001", "-1", "1e9", "1.-5", "18446744073709551615"] {
            assert_eq!(parse_credits(text), Err(NotAnAmount::Credits), "{text:?}");
        }
    }

    #[test]
    fn each_mistake_in_a_range_is_named() {
        for (text, expect) in [
            ("", "has no `..`"),
            ("5", "has no `..`"),
            ("..4", "\"\" is where the range would begin, and it is not a number"),
            ("4..", "\"\" is where the range would end"),
            ("a..5", "\"a\" is where the range would begin"),
            ("0..1e6", "\"1e6\" is where the range would end"),
            ("0..--1", "\"--1\" is where the range would end"),
            ("-3..4", "-3 is negative"),
            ("0..-1", "-1 is negative"),
            ("9..3", "9 is more than 3: the range runs backwards\nhint: the smaller number comes first, as in 3..9"),
            ("5..5", "there are no numbers in 5..5"),
            ("0..18446744073709551616", "18446744073709551616 is larger than the largest number, 18446744073709551615"),
            ("9..=3", "9 is more than 3"),
            ("0..=18446744073709551615", "at most 1099511627776 inputs"),
            ("0..18446744073709551615", "at most 1099511627776 inputs"),
        ] {
            let error = parse_range(text).unwrap_err().to_string();
            assert!(error.contains(expect) && error.contains("\nhint: "), "{text:?}: {error}");
        }
        assert_eq!(parse_range("0..1099511627776"), Ok((0, 1 << 40)));
    }

    #[test]
    fn amounts_are_written_for_people() {
        assert_eq!(credits_text(18_400_000), "18.40");
        assert_eq!(credits_text(-1), "-0.000001");
        assert_eq!(credits_text(0), "0.00");
        assert_eq!(time_text(Millis(130_000)), "2m 10s");
        assert_eq!(time_text(Millis(999)), "999 ms");
        assert_eq!(time_text(Millis(90_000_000)), "1d 01h");
        assert_eq!(bytes_text(1_536), "1.5 KiB");
        assert_eq!(bytes_text(u64::MAX), "16777215.9 TiB");
    }
}
