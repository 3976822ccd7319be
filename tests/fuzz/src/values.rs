//! Bound values, as people are shown them.

use crate::session::parameters;
use crate::wire::frontend::Bind;

/// The longest value that is shown, with what is said about its end.
const LONGEST: usize = 16 * 1024 + 64;

/// Takes two bytes for a type's OID, the rest for a value.
///
/// # Panics
/// If what must hold does not.
pub fn check(bytes: &[u8]) {
    let Some((&oid, value)) = bytes.split_first_chunk() else {
        return;
    };
    let oid = u16::from_be_bytes(oid).into();
    for format in [0, 1] {
        let body = bind(format, value);
        let bind = Bind::read(&body).expect("a Bind");
        let [shown] = parameters(&bind, &[oid]).try_into().expect("one value");
        let text = shown.value.expect("it is not NULL");
        assert!(text.len() <= LONGEST, "{} bytes", text.len());
        if format == 1 {
            let r#type = shown
                .r#type
                .expect("binary values have a type, or are said to have none");
            assert!(r#type.len() <= 512, "{}", r#type);
        }
    }
}

/// A Bind with one value.
fn bind(format: u8, value: &[u8]) -> Vec<u8> {
    let mut body = vec![0, 0, 0, 1, 0, format, 0, 1];
    body.extend(u32::try_from(value.len()).expect("a small value").to_be_bytes());
    body.extend(value);
    body.extend([0, 0]);
    body
}
