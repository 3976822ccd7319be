//! The inputs that are committed for the fuzz targets, as plain tests: what was found once stays found.
//!
//! Those of the target `values` run beside the decoder of values, which is not public.

#[expect(unreachable_pub, reason = "public in the package of the fuzz targets")]
#[path = "../fuzz/src/framer.rs"]
mod framer;
#[expect(unreachable_pub, reason = "public in the package of the fuzz targets")]
#[path = "../fuzz/src/startup.rs"]
mod startup;

use std::path::Path;

#[test]
fn frames_are_the_same_however_they_arrive() {
    for_each("framer", framer::check);
}

#[test]
fn opening_packets_survive_their_bytes() {
    for_each("startup", startup::check);
}

fn for_each(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fuzz/corpus")
        .join(target);
    let mut inputs = 0;
    for input in folder.read_dir().expect("a folder") {
        let path = input.expect("a file").path();
        println!("{}", path.display());
        check(&std::fs::read(&path).expect("a file"));
        inputs += 1;
    }
    assert!(inputs > 10, "{inputs} inputs in {}", folder.display());
}
