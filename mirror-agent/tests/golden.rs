//! Captures of our own making, in `tests/data`, and what is read of them. `cargo run -p mirror-agent --example golden`
//! writes both anew.

#[path = "../examples/golden/capture.rs"]
mod capture;
#[path = "../examples/golden/cases.rs"]
mod cases;
#[path = "../examples/golden/told.rs"]
mod told;

use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder(case: &cases::Case) -> PathBuf {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
    data.join(case.name)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn captures_are_what_the_program_makes() {
    for case in cases::CASES {
        let mut capture = capture::Capture::default();
        (case.make)(&mut capture);
        let committed = read(&folder(case).join("input.pcap"));
        assert!(capture.file() == committed, "{}", case.name);
        let readme = read(&folder(case).join("README.md"));
        assert_eq!(String::from_utf8(readme).unwrap(), told::readme(case));
    }
}

#[test]
fn captures_are_read_as_expected() {
    let mut wrong = Vec::new();
    for case in cases::CASES {
        let expected = read(&folder(case).join("expected.json"));
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let seen = told::told(&folder(case).join("input.pcap")).unwrap();
        if seen != expected {
            wrong.push(format!("{}: {seen:#}", case.name));
        }
    }
    assert!(wrong.is_empty(), "read otherwise:\n{}", wrong.join("\n"));
}

#[test]
fn every_request_of_a_capture_is_one_exchange() {
    for case in cases::CASES {
        let seen = told::told(&folder(case).join("input.pcap")).unwrap();
        let exchanges = seen["exchanges"].as_array().unwrap().len();
        let requests = seen["counters"]["requests"].as_u64().unwrap_or(0);
        assert_eq!(exchanges as u64, requests, "{}", case.name);
    }
}
