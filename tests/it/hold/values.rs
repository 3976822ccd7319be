//! Bound values, as approvers read them: for every type that PostgreSQL is born with, what it says itself.

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use crate::support::Proxy;
use crate::support::raw::{Frames, Message, Raw, describe};
use crate::support::request::Request;

/// Values of all types of which the server reads its own binary form. Each is bound by itself, and all of a
/// type's in arrays.
const VALUES: &[(&str, &[&str])] = &[
    ("bool", &["t", "f"]),
    ("bytea", &[r"\x00ff", ""]),
    ("\"char\"", &["a", "", "\"", r"\377", " "]),
    ("name", &["a b", "", r#""\"#]),
    ("int8", &["-9223372036854775808", "0"]),
    ("int2", &["-32768", "32767"]),
    ("int4", &["-2147483648", "0"]),
    (
        "text",
        &[
            "a", "", " ", "NULL", "null", "a\"b", r"a\b", "{", "}", ",", "\n", "élève", "'", ";",
        ],
    ),
    ("oid", &["4294967295"]),
    ("tid", &["(4294967295,65535)"]),
    ("xid", &["4294967295"]),
    ("cid", &["7"]),
    ("xid8", &["18446744073709551615"]),
    ("pg_lsn", &["16/B374D848", "0/0", "FFFFFFFF/FFFFFFFF"]),
    ("json", &[r#"{"a": [1, null]}"#]),
    ("jsonb", &[r#"{"a": [1, null], "b": "x,y"}"#, r#""\\""#]),
    ("jsonpath", &[r#"$."a"[*]?(@ > 1)"#]),
    ("point", &["(1,2.5)", "(-0,1e300)", "(NaN,Infinity)"]),
    ("lseg", &["[(1,2),(3,4)]"]),
    ("path", &["[(1,2),(3,4)]", "((1,2),(3,4),(5,6))"]),
    ("box", &["(1,2),(3,4)", "(3,1),(2,9)"]),
    ("polygon", &["((1,2),(3,4),(5,6))"]),
    ("line", &["{1,-1,0.5}"]),
    ("circle", &["<(1,2),3>"]),
    (
        "cidr",
        &["10/8", "10.1.2.3/32", "2001:db8::/32", "::/0", "0.0.0.0/0"],
    ),
    (
        "inet",
        &[
            "10.1.2.3",
            "10.1.2.3/8",
            "::1",
            "::",
            "::5",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "2001:db8::1/64",
            "1:0:0:2:0:0:0:3",
            "1:0:2:3:4:5:6:7",
            "::0.1.0.0",
            "1::",
            "fe80::1:0:0:1",
        ],
    ),
    ("macaddr", &["08:00:2b:01:02:03"]),
    ("macaddr8", &["08:00:2b:01:02:03:04:05"]),
    ("bpchar", &["a  ", ""]),
    ("varchar", &["a  "]),
    ("refcursor", &["c 1"]),
    ("money", &["1.50", "-0.05"]),
    (
        "date",
        &[
            "infinity",
            "-infinity",
            "4714-11-24 BC",
            "0001-12-31 BC",
            "0001-01-01",
            "2000-02-29",
            "1900-03-01",
            "5874897-12-31",
        ],
    ),
    ("time", &["00:00", "24:00:00", "12:34:56.789", "00:00:00.000001"]),
    (
        "timetz",
        &[
            "00:00+00",
            "24:00:00-12",
            "12:34:56.789+05:30",
            "23:59:59-03:45:30",
            "00:00+15:59:59",
        ],
    ),
    (
        "timestamp",
        &[
            "infinity",
            "-infinity",
            "4714-11-24 00:00:00 BC",
            "294276-12-31 23:59:59.999999",
            "0001-12-31 23:59:59.9 BC",
            "1999-12-31 23:59:59.999999",
            "2000-01-01 00:00:00",
        ],
    ),
    (
        "timestamptz",
        &[
            "infinity",
            "2026-02-03 04:05:06.5+02",
            "0001-12-31 23:59:59.9+00 BC",
            "294276-12-31 23:59:59+00",
        ],
    ),
    (
        "interval",
        &[
            "0",
            "1 day",
            "-1 day",
            "1 mon -1 day 00:00:01",
            "-1 year 1 day",
            "13 mons",
            "2147483647 days",
            "-13 mons 1 day -00:00:00.1",
            "-2562047788:00:54.775807",
            "1 year 2 mons 3 days 04:05:06.789",
        ],
    ),
    ("bit", &["1", "0"]),
    ("varbit", &["", "101", "10101010101"]),
    (
        "numeric",
        &[
            "NaN",
            "Infinity",
            "-Infinity",
            "0",
            "0.000",
            "-12345678.90",
            "10000",
            "99999999",
            "0.00010000",
            "1e100",
            "1e-100",
            "0.00000042",
            "9999.9999",
        ],
    ),
    (
        "float4",
        &[
            "0",
            "-0",
            "NaN",
            "Infinity",
            "-Infinity",
            "1e-45",
            "3.4028235e38",
            "33554432",
            "8388608.5",
            "999999",
            "1000000",
            "0.0001",
            "0.00001",
            "313858.125",
            "0.1",
        ],
    ),
    (
        "float8",
        &[
            "0",
            "-0",
            "NaN",
            "-Infinity",
            "5e-324",
            "1.7976931348623157e308",
            "2.2250738585072014e-308",
            "123456789012345",
            "1234567890123456",
            "0.0001",
            "0.00001",
            "1e23",
            "0.1",
            "9007199254740993",
            "-230012797091856.625",
        ],
    ),
    ("uuid", &["0191d3a0-7c1e-7c3e-8000-0123456789ab"]),
    ("txid_snapshot", &["10:20:10,14,15"]),
    ("pg_snapshot", &["10:20:", "1:1:"]),
    (
        "tsvector",
        &["a:1A,2B,3C,4 b", "", r"'it''s':5 'a\\b' 'c d'", "'a b':16383"],
    ),
    (
        "tsquery",
        &[
            "a",
            "!a",
            "a & b | c",
            "a & (b | c)",
            "!(a & b)",
            "a <-> b <-> c",
            "a <-> (b <-> c)",
            "a <3> (b | c)",
            "!a <-> !(b <-> c)",
            "a:*AB & b:D",
            "!!a",
            "(a | b) & !(c & d) | e",
            r"'it''s' & 'x\\y'",
            "a <-> (b & c) <2> d",
            "(a <-> b) | (c <-> d) & e",
            "!(a <-> b) <-> c",
        ],
    ),
    // Names of what does not exist are numbers; of what does, only the server knows them.
    ("regproc", &["4000000001"]),
    ("regprocedure", &["4000000001"]),
    ("regoper", &["4000000001"]),
    ("regoperator", &["4000000001"]),
    ("regclass", &["4000000001"]),
    ("regtype", &["4000000001"]),
    ("regconfig", &["4000000001"]),
    ("regdictionary", &["4000000001"]),
    ("regnamespace", &["4000000001"]),
    ("regrole", &["4000000001"]),
    ("regcollation", &["4000000001"]),
    ("int4range", &["[1,3)", "empty", "(,)", "[,5]", "[7,)"]),
    ("int8range", &["[1,3)"]),
    ("numrange", &["[1.5,3)", "[NaN,NaN]", "(,1]"]),
    (
        "tsrange",
        &["[2000-01-01 00:00,2000-01-02 00:00)", "(,2000-01-01 BC]"],
    ),
    ("tstzrange", &["[2000-01-01 00:00+00,infinity]"]),
    ("daterange", &["[2000-01-01,2000-01-03)"]),
    ("int4multirange", &["{}", "{[1,3),[5,7)}", "{(,)}"]),
    ("int8multirange", &["{[1,3)}"]),
    ("nummultirange", &["{[1.5,3),(7,)}"]),
    ("tsmultirange", &["{[2000-01-01 00:00,2000-01-02 00:00)}"]),
    ("tstzmultirange", &["{[2000-01-01 00:00+00,2000-01-02 00:00+00)}"]),
    ("datemultirange", &["{[2000-01-01,2000-01-03)}"]),
    // Arrays of other shapes, and vectors, which are arrays already.
    (
        "int4[]",
        &["{}", "{NULL}", "[2:3]={1,2}", "[-1:0][5:5]={{1},{2}}"],
    ),
    ("text[]", &["{{{1,2},{3,4}},{{5,6},{7,\"\"}}}"]),
    ("box[]", &["[0:1]={(1,2),(3,4);(5,6),(7,8)}"]),
    ("int2vector", &["1 -2 3"]),
    ("oidvector", &["1 4294967295"]),
];

/// Many numbers at once, some of them where digits are hard to choose.
const NUMBERS: &[&str] = &[
    "(SELECT array_agg(pow(2::float8, n)) FROM generate_series(-1070, 1020, 11) n)",
    "(SELECT array_agg(pow(2::float8, n) * (1 + pow(2::float8, -52))) FROM generate_series(-20, 70) n)",
    "(SELECT array_agg(('9e' || n)::float8) FROM generate_series(-300, 300, 7) n)",
    "(SELECT array_agg(pow(2::float8, n)::float4) FROM generate_series(-140, 127, 2) n)",
    "(SELECT array_agg((pow(2::float8, n) * (1 + pow(2::float8, -23)))::float4) FROM generate_series(-40, 40) n)",
    "(SELECT array_agg((n * 313858.125)::float4) FROM generate_series(1, 200) n)",
    "(SELECT array_agg(('4713-01-01 BC'::date + n * 104729)) FROM generate_series(0, 300) n)",
    "(SELECT array_agg(n::numeric * 1234567.891 / 1000::numeric) FROM generate_series(-150, 150, 7) n)",
];

/// What a type is called here, for a row `t` of `pg_type`.
const NAME: &str = "regexp_replace(
    coalesce((SELECT e.typname || '[]' FROM pg_type e WHERE e.typarray = t.oid), t.typname),
    '^char(\\[\\])?$', '\"char\"\\1')";

/// A value in the server's two forms, and its type.
#[derive(Debug)]
struct Sample {
    binary: Vec<u8>,
    text: String,
    oid: u32,
    /// As SQL has it.
    r#type: String,
    name: String,
}

#[tokio::test]
async fn a_value_of_any_type_reads_as_the_server_writes_it() {
    let proxy = Proxy::start().await;
    let samples = samples(&proxy).await;
    let binary: Vec<_> = samples.iter().map(|s| Some(s.binary.as_slice())).collect();
    let expected: Vec<_> = samples.iter().map(as_shown).collect();
    let mut alice = proxy.alice.raw().await;

    let given: Vec<u32> = samples.iter().map(|s| s.oid).collect();
    let text = statement(samples.iter().map(|s| s.r#type.as_str()));
    let typed = bind(parse(&text, &given), &binary, 1);
    assert_eq!(shown(&hold(&proxy, &mut alice, typed).await), expected);

    // The server tells the types.
    alice.send(parse(&text, &[]).describe_statement("").sync()).await;
    let told = alice.ready().await;
    assert_eq!(told[1].tag, b't', "{}", describe(&told));
    let untyped = bind(Frames::new(), &binary, 1);
    assert_eq!(shown(&hold(&proxy, &mut alice, untyped).await), expected);

    // In the server's text form.
    let texts: Vec<_> = samples.iter().map(|s| Some(s.text.as_bytes())).collect();
    let expected: Vec<_> = samples
        .iter()
        .map(|s| (Some(s.text.clone()), s.name.clone()))
        .collect();
    let textual = bind(parse(&text, &given), &texts, 0);
    assert_eq!(shown(&hold(&proxy, &mut alice, textual).await), expected);
}

#[tokio::test]
async fn every_type_of_the_server_has_its_name_in_a_request() {
    let proxy = Proxy::start().await;
    let types = proxy
        .database
        .value(&format!(
            "SELECT string_agg(format('%s %s', t.oid, {NAME}), ',' ORDER BY t.oid) FROM pg_type t
             WHERE t.oid < 10000 AND t.typtype <> 'p'"
        ))
        .await;
    let types: Vec<(u32, &str)> = types
        .split(',')
        .map(|one| one.split_once(' ').unwrap())
        .map(|(oid, name)| (oid.parse().unwrap(), name))
        .collect();
    assert!(types.len() > 150, "{types:?}");
    let oids: Vec<u32> = types.iter().map(|(oid, _)| *oid).collect();
    let mut alice = proxy.alice.raw().await;
    let text = "DELETE FROM items WHERE id = -1 AND ".to_owned()
        + &(1..=oids.len())
            .map(|n| format!("${n} IS NULL"))
            .collect::<Vec<_>>()
            .join(" AND ");
    let nothing = vec![None; oids.len()];
    let request = hold(&proxy, &mut alice, bind(parse(&text, &oids), &nothing, 0)).await;
    let expected: Vec<_> = types.iter().map(|(_, name)| (None, (*name).to_owned())).collect();
    assert_eq!(shown(&request), expected);
}

#[tokio::test]
async fn a_binary_value_of_a_type_that_nobody_has_told_is_shown_as_bytes() {
    let proxy = Proxy::start().await;
    proxy
        .database
        .run("CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE moods (mood mood); ALTER TABLE moods OWNER TO app")
        .await;
    let mut alice = proxy.alice.raw().await;
    let text = "DELETE FROM moods WHERE mood = $1";
    let values: [Option<&[u8]>; 1] = [Some(b"happy")];
    let request = hold(&proxy, &mut alice, bind(parse(text, &[]), &values, 1)).await;
    let note = "shown as bytes, which as text read \"happy\"";
    let of = |r#type: &str| vec![(Some("\\x6861707079".to_owned()), format!("{type}, {note}"))];
    assert_eq!(shown(&request), of("unknown type"));

    alice.send(parse(text, &[]).describe_statement("").sync()).await;
    alice.ready().await;
    let request = hold(&proxy, &mut alice, bind(Frames::new(), &values, 1)).await;
    let oid = proxy.database.value("SELECT 'mood'::regtype::oid").await;
    assert_eq!(shown(&request), of(&format!("OID {oid}")));
}

/// Has the server make all the samples.
async fn samples(proxy: &Proxy) -> Vec<Sample> {
    let mut expressions: Vec<String> = NUMBERS.iter().map(|&number| number.to_owned()).collect();
    for (r#type, values) in VALUES {
        let values: Vec<String> = values
            .iter()
            .map(|value| format!("'{}'::{type}", value.replace('\'', "''")))
            .collect();
        if !r#type.ends_with("[]") && !r#type.ends_with("vector") || *r#type == "tsvector" {
            let list = values.join(",");
            expressions.push(format!("ARRAY[{list},NULL]"));
            expressions.push(format!("ARRAY[[{list}],[{list}]]"));
        }
        expressions.extend(values);
    }
    let mut server = Raw::past(proxy).await;
    server.send(Frames::new().query("SET timezone = 'UTC'")).await;
    server.ready().await;
    let mut samples = Vec::new();
    for expression in expressions {
        let query = format!(
            "SELECT v, t.oid, pg_typeof(v), {NAME} FROM (SELECT {expression} AS v) AS s, pg_type t
             WHERE t.oid = pg_typeof(v)"
        );
        let both = bind(Frames::new().parse("", &query), &[], 0);
        server.send(bind(both, &[], 1).sync()).await;
        let answers = server.ready().await;
        let rows: Vec<&Message> = answers.iter().filter(|m| m.tag == b'D').collect();
        let [text, binary] = rows[..] else {
            panic!("{query}: {}", describe(&answers))
        };
        let texts = text.values();
        samples.push(Sample {
            binary: first_value(binary),
            text: texts[0].clone(),
            oid: texts[1].parse().unwrap(),
            r#type: texts[2].clone(),
            name: texts[3].clone(),
        });
    }
    samples
}

/// The value and the type of a sample that is bound in binary.
fn as_shown(sample: &Sample) -> (Option<String>, String) {
    let has_money = sample.name.starts_with("money");
    let value = match sample.text.as_str() {
        "t" if sample.oid == 16 => "true".to_owned(),
        "f" if sample.oid == 16 => "false".to_owned(),
        text if has_money => text.replace('$', ""),
        text => text.to_owned(),
    };
    let note = if has_money {
        ", two decimal places assumed"
    } else {
        ""
    };
    (Some(value), sample.name.clone() + note)
}

/// A statement with parameters of these types, which does nothing.
fn statement<'a>(types: impl Iterator<Item = &'a str>) -> String {
    let numbered = types.zip(1..);
    let conditions: Vec<_> = numbered
        .map(|(t, number)| format!("${number}::{t} IS NULL"))
        .collect();
    format!(
        "DELETE FROM items WHERE id = -1 AND ({})",
        conditions.join(" OR ")
    )
}

fn parse(text: &str, types: &[u32]) -> Frames {
    let mut out = BytesMut::new();
    frontend::parse("", text, types.iter().copied(), &mut out).unwrap();
    Frames::new().bytes(&out)
}

/// Behind `frames`, a Bind with values in this format, for results in the same, and an Execute.
fn bind(frames: Frames, values: &[Option<&[u8]>], format: i16) -> Frames {
    let mut out = BytesMut::new();
    let write = |value: Option<&[u8]>, out: &mut BytesMut| {
        out.extend_from_slice(value.unwrap_or_default());
        Ok(if value.is_some() { IsNull::No } else { IsNull::Yes })
    };
    let bound = frontend::bind(
        "",
        "",
        [format],
        values.iter().copied(),
        write,
        [format],
        &mut out,
    );
    assert!(bound.is_ok(), "a message");
    frames.bytes(&out).execute("", 0)
}

/// The value in the first column of a row, as bytes.
fn first_value(row: &Message) -> Vec<u8> {
    let (length, rest) = row.body[2..].split_first_chunk().unwrap();
    let length = usize::try_from(i32::from_be_bytes(*length)).unwrap();
    rest[..length].to_vec()
}

/// Sends a statement that is held, has it approved and sees the server take it.
async fn hold(proxy: &Proxy, client: &mut Raw, frames: Frames) -> Request {
    client.send(frames.sync()).await;
    let request = proxy.bob.approves_next().await;
    let answers = client.ready().await;
    assert!(answers.iter().any(|m| m.tag == b'C'), "{}", describe(&answers));
    request
}

/// Value and type of each parameter.
fn shown(request: &Request) -> Vec<(Option<String>, String)> {
    let types = request.field("parameters").as_array().unwrap().iter();
    let types = types.map(|parameter| parameter["type"].as_str().unwrap().to_owned());
    let values = request
        .parameters()
        .into_iter()
        .map(|value| value.map(str::to_owned));
    values.zip(types).collect()
}
