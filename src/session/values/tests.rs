#![expect(clippy::unwrap_used, reason = "tests")]
//! What PostgreSQL itself makes of such bytes is in `tests/it/hold/values.rs`; here is what it never sends.

use proptest::prelude::*;

use super::types::TYPES;
use super::*;

/// The value and type of binary bytes.
fn shown(oid: u32, bytes: &[u8]) -> (String, String) {
    let parameter = show(oid, true, Some(bytes), SHOWN);
    (parameter.value.unwrap(), parameter.r#type.unwrap())
}

/// The value of bytes that can be read.
fn read(oid: u32, bytes: &[u8]) -> String {
    let (value, r#type) = shown(oid, bytes);
    assert!(!r#type.contains("bytes"), "{type}: {value}");
    value
}

/// Whether the bytes are shown as such.
fn is_refused(oid: u32, bytes: &[u8]) -> bool {
    let (value, r#type) = shown(oid, bytes);
    value.starts_with("\\x") && r#type.contains(", shown as bytes")
}

/// Big-endian integers, one behind the other.
fn words(words: &[i32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn numeric(head: [u16; 4], digits: &[u16]) -> Vec<u8> {
    let words = head.iter().chain(digits);
    words.flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn values_read_as_the_server_reads_them() {
    let quarter = 0.25_f64.to_be_bytes();
    let point_pair = [quarter, 1e15_f64.to_be_bytes(), 1e23_f64.to_be_bytes(), quarter].concat();
    let cases: [(u32, &[u8], &str); 23] = [
        (16, &[0], "false"),
        (16, &[1], "true"),
        // Any other byte is true, too.
        (16, &[2], "true"),
        (20, &(-7_i64).to_be_bytes(), "-7"),
        (21, &7_i16.to_be_bytes(), "7"),
        (23, &i32::MIN.to_be_bytes(), "-2147483648"),
        (26, &[0xff; 4], "4294967295"),
        (5069, &[0xff; 8], "18446744073709551615"),
        (701, &quarter, "0.25"),
        (25, "grün".as_bytes(), "grün"),
        (25, b"", ""),
        (17, &[0xde, 0xad], "\\xdead"),
        (18, &[0], ""),
        (18, &[0xfc], "\\374"),
        (3802, b"\x01{}", "{}"),
        (2278, b"", ""),
        (142, "<a>é</a>".as_bytes(), "<a>é</a>"),
        (829, &[8, 0, 0x2b, 1, 2, 3], "08:00:2b:01:02:03"),
        (774, &[8, 0, 0x2b, 1, 2, 3], "08:00:2b:ff:fe:01:02:03"),
        // The corners of a box in the wrong order.
        (603, &point_pair, "(9.999999999999999e+22,1e+15),(0.25,0.25)"),
        // A range of no elements, with bounds that do not exist but are said to belong to it.
        (3904, &[0x1e], "(,)"),
        (3904, &[0xff], "empty"),
        (1560, &[0, 0, 0, 9, 0b1010_0101, 0xff], "101001011"),
    ];
    for (oid, bytes, expected) in cases {
        assert_eq!(read(oid, bytes), expected, "OID {oid}, {bytes:?}");
    }
}

#[test]
fn what_the_server_would_not_take_is_shown_as_bytes() {
    let cases: [(u32, &[u8]); 30] = [
        (16, &[]),
        (16, &[0, 1]),
        (23, &[1]),
        (23, &[0; 5]),
        (25, &[0xff]),
        (3802, b"\x02{}"),
        (3802, b""),
        (2950, &[0; 15]),
        (1082, &(-2_451_546_i32).to_be_bytes()),
        (1082, &2_145_031_949_i32.to_be_bytes()),
        (1083, &(-1_i64).to_be_bytes()),
        (1083, &86_400_000_001_i64.to_be_bytes()),
        (1114, &9_223_371_331_200_000_000_i64.to_be_bytes()),
        (1266, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe1, 0]),
        (869, &[2, 33, 0, 4, 1, 2, 3, 4]),
        (869, &[2, 32, 0, 3, 1, 2, 3]),
        (869, &[4, 32, 0, 4, 1, 2, 3, 4]),
        // Bits behind the prefix.
        (650, &[2, 8, 1, 4, 10, 0, 0, 1]),
        (604, &[0, 0, 0, 0]),
        (1560, &[0, 0, 0, 9, 0]),
        (1560, &[0xff, 0xff, 0xff, 0xff]),
        (3615, &[0, 0, 0, 1, 2, 1]),
        (3615, &[0, 0, 0, 2, 1, 0, 0, b'a', 0, 1, 0, 0, b'b', 0]),
        (3615, &[0, 0, 0, 1, 1, 0x10, 0, b'a', 0]),
        (3904, &[0x02]),
        (4451, &[0xff, 0xff, 0xff, 0xff]),
        (5038, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
        // No binary form.
        (1033, &[0; 12]),
        (2249, &[0, 0, 0, 1, 0, 0, 0x40, 0, 0, 0, 0, 0]),
        (142, "<?xml version='1.0' encoding='latin1'?><a>é</a>".as_bytes()),
    ];
    for (oid, bytes) in cases {
        assert!(is_refused(oid, bytes), "OID {oid}, {bytes:?}");
    }
}

#[test]
fn numerics_are_those_of_the_server() {
    const NEGATIVE: u16 = 0x4000;
    let minus = u16::MAX;
    for (head, digits, expected) in [
        ([3, 1, 0, 3], &[1, 2345, 6780][..], "12345.678"),
        ([1, minus, 0, 2], &[500], "0.05"),
        ([1, minus, NEGATIVE, 4], &[1], "-0.0001"),
        ([0, 0, 0, 0], &[], "0"),
        ([0, 0, 0, 3], &[], "0.000"),
        // Digits behind the scale are cut off, and nothing is left to be negative.
        ([1, minus, NEGATIVE, 1], &[500], "0.0"),
        ([1, minus, NEGATIVE, 2], &[500], "-0.05"),
        ([2, 0, NEGATIVE, 0], &[0, 9999], "0"),
        ([1, minus - 1, 0, 8], &[42], "0.00000042"),
        ([1, 2, 0, 1], &[7], "700000000.0"),
        ([3, 1, 0, 0], &[0, 0, 5], "0"),
        ([0, 0, 0xc000, 0], &[], "NaN"),
        ([0, 0, 0xd000, 0x20], &[], "Infinity"),
        ([0, 0, 0xf000, 0x20], &[], "-Infinity"),
    ] {
        assert_eq!(read(1700, &numeric(head, digits)), expected);
    }
    for (head, digits) in [
        ([1, 0, 0, 0], &[10_000][..]),
        ([2, 0, 0, 0], &[1]),
        ([0, 0, 0, 0], &[1]),
        ([0, 0, 0x1000, 0], &[]),
        ([0, 0, 0, 0x4000], &[]),
    ] {
        assert!(is_refused(1700, &numeric(head, digits)), "{head:?} {digits:?}");
    }
    let long = read(1700, &numeric([1, 0x7fff, 0, 0], &[1]));
    assert!(long.starts_with("10000") && long.ends_with("… (10 bytes in all)"));
}

#[test]
fn arrays_that_lie_about_their_shape_are_shown_as_bytes() {
    let element = |value: i32| words(&[4, value]);
    let one = [words(&[1, 0, 23, 1, 1]), element(5)].concat();
    assert_eq!(read(1007, &one), "{5}");
    // A type of the client's own: the server takes the array's.
    assert_eq!(
        read(1007, &[words(&[1, 0, 16_400, 1, 1]), element(5)].concat()),
        "{5}"
    );
    assert_eq!(read(1007, &words(&[0, 0, 23])), "{}");
    assert_eq!(read(1007, &words(&[2, 0, 23, 7, 1, 0, 1])), "{}");
    let shifted = [words(&[2, 1, 23, 2, -1, 1, 3]), words(&[-1]), element(5)].concat();
    assert_eq!(read(1007, &shifted), "[-1:0][3:3]={{NULL},{5}}");
    for wrong in [
        [words(&[1, 0, 25, 1, 1]), element(5)].concat(),
        [words(&[1, 2, 23, 1, 1]), element(5)].concat(),
        [words(&[1, 0, 23, 2, 1]), element(5)].concat(),
        [words(&[1, 0, 23, 0, 1]), element(5)].concat(),
        [words(&[1, 0, 23, 1, i32::MAX]), element(5)].concat(),
        words(&[7, 0, 23, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1]),
        words(&[-1, 0, 23]),
        words(&[1, 0, 23, -1, 1]),
        words(&[1, 0, 23, i32::MAX, 1]),
        words(&[
            6,
            0,
            23,
            i32::MAX,
            0,
            i32::MAX,
            0,
            i32::MAX,
            0,
            i32::MAX,
            0,
            i32::MAX,
            0,
            i32::MAX,
            0,
        ]),
        words(&[1, 0, 23, 1, 1, -2]),
        words(&[1, 0, 23, 1, 1, i32::MAX]),
    ] {
        assert!(is_refused(1007, &wrong), "{wrong:?}");
    }
    // Vectors begin at 0 and have no NULL.
    assert_eq!(read(22, &[words(&[1, 0, 21, 1, 0, 2]), vec![0, 7]].concat()), "7");
    assert!(is_refused(
        22,
        &[words(&[1, 0, 21, 1, 1, 2]), vec![0, 7]].concat()
    ));
    assert!(is_refused(22, &words(&[1, 0, 21, 1, 0, -1])));
    assert!(is_refused(22, &words(&[1, 0, 21, 0, 0])));
}

#[test]
fn rows_in_rows_end_somewhere() {
    let mut row = words(&[0]);
    for depth in 0..40 {
        let length = i32::try_from(row.len()).unwrap();
        row = [words(&[1, 2249, length]), row].concat();
        if depth < 2 {
            assert!(read(2249, &row).starts_with('('));
        }
    }
    assert!(is_refused(2249, &row));
}

#[test]
fn a_type_that_is_not_known_is_said_not_to_be() {
    let of = |oid, binary, bytes: &[u8]| {
        let parameter = show(oid, binary, Some(bytes), SHOWN);
        (parameter.value.unwrap(), parameter.r#type)
    };
    let said = |value: &str, r#type: &str| (value.to_owned(), Some(r#type.to_owned()));
    assert_eq!(of(0, false, b"7"), ("7".to_owned(), None));
    assert_eq!(of(16_400, false, b"7"), said("7", "OID 16400"));
    assert_eq!(
        of(0, true, &[0, 7]),
        said("\\x0007", "unknown type, shown as bytes")
    );
    assert_eq!(
        of(16_400, true, b"red"),
        said(
            "\\x726564",
            "OID 16400, shown as bytes, which as text read \"red\""
        )
    );
    assert_eq!(
        of(23, false, &[0xff]),
        said("\\xff", "int4, not UTF-8: shown as bytes")
    );
    assert_eq!(
        of(790, true, &(-5_i64).to_be_bytes()),
        said("-0.05", "money, two decimal places assumed")
    );
    assert_eq!(of(790, false, b"$5.00"), said("$5.00", "money"));
    assert_eq!(
        show(1009, true, None, SHOWN),
        Parameter {
            value: None,
            r#type: Some("text[]".to_owned())
        }
    );
}

#[test]
fn long_values_are_cut_and_say_so() {
    let text = "é".repeat(SHOWN);
    for (oid, binary) in [(25, false), (25, true), (17, true), (16_400, true)] {
        let value = show(oid, binary, Some(text.as_bytes()), SHOWN).value.unwrap();
        assert!(value.len() <= SHOWN + 40 && value.ends_with(&format!("… ({} bytes in all)", text.len())));
    }
}

/// A Bind of so many numerics, each 12 bytes of which the text is 100 kB long.
#[test]
fn all_values_together_are_bounded() {
    let number: u16 = 20_000;
    let mut body = b"\0\0".to_vec();
    body.extend([0, 1, 0, 1]);
    body.extend(number.to_be_bytes());
    for _ in 0..number {
        body.extend([0, 0, 0, 10]);
        body.extend(numeric([1, 0x7fff, 0, 0], &[1]));
    }
    body.extend([0, 0]);
    let bind = Bind::read(&body).unwrap();
    let values = parameters(&bind, &vec![1700; usize::from(number)]);
    assert_eq!(values.len(), usize::from(number));
    let bytes: usize = values
        .iter()
        .map(|v| v.value.as_ref().map_or(0, String::len))
        .sum();
    assert!(bytes < SHOWN_IN_ALL + 40 * usize::from(number), "{bytes}");
    assert_eq!(
        values.last().unwrap().value.as_deref(),
        Some("… (10 bytes in all)")
    );
}

/// What arbitrary bytes must hold to.
fn holds(oid: u32, bytes: &[u8]) {
    let limit = 256;
    let parameter = show(oid, true, Some(bytes), limit);
    let value = parameter.value.unwrap();
    assert!(value.len() <= limit + 40, "{} bytes of OID {oid}", value.len());
    assert!(parameter.r#type.is_some());
    let whole = show(oid, true, Some(bytes), SHOWN).value.unwrap();
    // What is cut is the beginning of the whole, or, where only reading on shows that it is none, its bytes.
    let head = value.split('…').next().unwrap_or_default();
    assert!(
        whole.starts_with(head) || whole.starts_with("\\x"),
        "OID {oid}: {value} of {whole}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_of_any_type_are_shown_in_bounds(
        at in 0..TYPES.len(),
        is_array: bool,
        mut bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0..8_u8, any::<u8>()], 0..200),
    ) {
        let of = &TYPES[at];
        holds(if is_array { of.array } else { of.oid }, &bytes);
        // With the beginning of an array of that type.
        let head = words(&[1, 0, of.oid.cast_signed(), 3, 1]);
        bytes.splice(0..0, head);
        holds(of.array, &bytes);
    }
}

/// The inputs of the fuzz target `values`: two bytes of OID, and a value.
#[test]
fn the_values_that_fuzzing_begins_with_are_shown_in_bounds() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus/values");
    let mut inputs = 0;
    for input in folder.read_dir().unwrap() {
        let bytes = std::fs::read(input.unwrap().path()).unwrap();
        let (oid, value) = bytes.split_first_chunk().unwrap();
        holds(u16::from_be_bytes(*oid).into(), value);
        inputs += 1;
    }
    assert!(inputs > 50, "{inputs} inputs in {}", folder.display());
}
