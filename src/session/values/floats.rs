//! Floating-point numbers as PostgreSQL prints them (`extra_float_digits` of at least 1, as by default):
//! the fewest digits that lead back to the number, without relying on how a reader rounds a tie.
//!
//! Source: `src/common/d2s.c`, `f2s.c` and `ryu_common.h` (`STRICTLY_SHORTEST`).

use std::fmt::Write as _;

use super::out::Out;

/// A positive, finite number: `mantissa` times two to the power of `exponent`.
#[derive(Debug, Clone, Copy)]
struct Binary {
    mantissa: u64,
    exponent: i32,
    /// Whether the next number below is nearer than the next above.
    is_lowest: bool,
}

pub(super) fn float8(number: f64, out: &mut Out) {
    let bits = number.to_bits();
    let binary = Binary::of(bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32, 52, 1023);
    let digits = |places: Option<usize>| match places {
        None => format!("{:e}", number.abs()),
        Some(places) => format!("{:.places$e}", number.abs()),
    };
    let leads_back = |text: &str| text.parse() == Ok(number.abs());
    write(
        number.is_sign_negative(),
        classify(number),
        binary,
        15,
        digits,
        leads_back,
        out,
    );
}

pub(super) fn float4(number: f32, out: &mut Out) {
    let bits = u64::from(number.to_bits());
    let binary = Binary::of(bits & ((1 << 23) - 1), (bits >> 23 & 0xff) as i32, 23, 127);
    let digits = |places: Option<usize>| match places {
        None => format!("{:e}", number.abs()),
        Some(places) => format!("{:.places$e}", number.abs()),
    };
    let leads_back = |text: &str| text.parse() == Ok(number.abs());
    write(
        number.is_sign_negative(),
        classify(number.into()),
        binary,
        6,
        digits,
        leads_back,
        out,
    );
}

/// What has no digits.
fn classify(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        Some("NaN")
    } else if number.is_infinite() {
        Some("Infinity")
    } else if number == 0.0 {
        Some("0")
    } else {
        None
    }
}

/// Numbers of `fixed` digits before the point and more are written with an exponent.
fn write(
    is_negative: bool,
    word: Option<&'static str>,
    binary: Binary,
    fixed: i32,
    digits: impl Fn(Option<usize>) -> String,
    leads_back: impl Fn(&str) -> bool,
    out: &mut Out,
) {
    if is_negative && word != Some("NaN") {
        out.push('-');
    }
    if let Some(word) = word {
        out.push_str(word);
        return;
    }
    let shortest = Decimal::of(&digits(None));
    let rounded = |places: usize| {
        let text = digits(Some(places));
        let decimal = Decimal::of(&text);
        (leads_back(&text) && !binary.has_tie(&decimal)).then_some(decimal)
    };
    // So many digits again, but rounded to even where there is a choice; where the shortest are a tie, some
    // more: 17 always will do.
    let count = shortest.digits.len();
    let decimal = match rounded(count.saturating_sub(1)) {
        Some(decimal) => decimal,
        None if !binary.has_tie(&shortest) => shortest,
        None => (count..17).find_map(rounded).unwrap_or(shortest),
    };
    decimal.write(fixed, out);
}

impl Binary {
    /// From the two parts of an IEEE 754 number whose fraction has so many bits.
    fn of(fraction: u64, biased: i32, width: u32, bias: i32) -> Self {
        let is_subnormal = biased == 0;
        Self {
            mantissa: if is_subnormal {
                fraction
            } else {
                fraction | 1 << width
            },
            exponent: biased.max(1) - bias - width.cast_signed(),
            is_lowest: fraction == 0 && biased > 1,
        }
    }

    /// Whether a decimal number stands exactly between this number and the next one, up or down.
    fn has_tie(self, decimal: &Decimal) -> bool {
        let Self {
            mantissa, exponent, ..
        } = self;
        let below = if self.is_lowest {
            (4 * mantissa - 1, exponent - 2)
        } else {
            (2 * mantissa - 1, exponent - 1)
        };
        [(2 * mantissa + 1, exponent - 1), below]
            .iter()
            .any(|&(odd, exponent)| decimal.is(odd, exponent))
    }
}

/// A decimal number: digits without zeros at their end, and the power of ten of the first.
#[derive(Debug)]
struct Decimal {
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// From `1.5e3`.
    fn of(text: &str) -> Self {
        let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let digits = digits.replace('.', "");
        Self {
            digits: digits.trim_end_matches('0').to_owned(),
            exponent: exponent.parse().unwrap_or(0),
        }
    }

    /// Whether this is `odd` times two to the power of `exponent`.
    fn is(&self, odd: u64, exponent: i32) -> bool {
        let digits: u128 = self.digits.parse().unwrap_or(0);
        if digits == 0 {
            return false;
        }
        let twos = digits.trailing_zeros();
        let (digits, odd) = (digits >> twos, u128::from(odd));
        let tens = self.exponent + 1 - i32::try_from(self.digits.len()).unwrap_or(0);
        // Ten is five times two; what is odd must be equal, and the powers of two.
        let Some(fives) = 5_u128.checked_pow(tens.unsigned_abs()) else {
            return false;
        };
        let is_equal = if tens >= 0 {
            digits.checked_mul(fives) == Some(odd)
        } else {
            odd.checked_mul(fives) == Some(digits)
        };
        is_equal && twos.cast_signed() + tens == exponent
    }

    fn write(&self, fixed: i32, out: &mut Out) {
        let digits = self.digits.as_str();
        if !(-4..fixed).contains(&self.exponent) {
            let (first, rest) = digits.split_at(digits.len().min(1));
            let point = if rest.is_empty() { "" } else { "." };
            let sign = if self.exponent < 0 { '-' } else { '+' };
            let _ = write!(
                out,
                "{first}{point}{rest}e{sign}{:02}",
                self.exponent.unsigned_abs()
            );
            return;
        }
        match usize::try_from(self.exponent) {
            Err(_) => {
                let zeros = self.exponent.unsigned_abs() as usize - 1;
                let _ = write!(out, "0.{}{digits}", "0".repeat(zeros));
            }
            Ok(before) if digits.len() > before + 1 => {
                let (whole, fraction) = digits.split_at(before + 1);
                let _ = write!(out, "{whole}.{fraction}");
            }
            Ok(before) => {
                let _ = write!(out, "{digits:0<width$}", width = before + 1);
            }
        }
    }
}
