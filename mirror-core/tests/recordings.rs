//! Recordings that were written by the first release of their version stay readable. `cargo run -p mirror-core --example recordings`
//! made them.

#![allow(clippy::disallowed_methods, reason = "it reads files")]

#[path = "../examples/recordings/cases.rs"]
mod cases;
#[path = "../examples/recordings/told.rs"]
mod told;

use std::path::Path;

use serde_json::Value;

#[test]
fn recordings_of_every_version_are_read_as_when_they_were_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "mrec"))
        .collect();
    names.sort();
    assert!(names.len() >= cases::all().len());
    for path in names {
        let bytes = std::fs::read(&path).unwrap();
        let expect = std::fs::read(path.with_extension("json")).unwrap();
        let expect: Value = serde_json::from_slice(&expect).unwrap();
        assert_eq!(told::told(&bytes), expect, "{}", path.display());
    }
}

/// The same exchanges are written in the same way: a change of the format needs a new version.
#[test]
fn the_same_exchanges_are_told_of_what_is_written_now() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    let ended = std::fs::read(folder.join("v1-ended.mrec")).unwrap();
    let (_, now) = &cases::all()[0];
    let told = |bytes: &[u8]| told::told(bytes)["exchanges"].clone();
    assert_eq!(told(now), told(&ended));
}
