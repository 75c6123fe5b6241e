//! What is fuzzed: each target takes bytes, and asserts what must hold for any bytes.
//!
//! `fuzz_targets/` hands these functions to libFuzzer, which looks for inputs that reach code no other input has reached.
//! `cargo xtask fuzz` builds and runs all of them. The tests here run the seeds, without libFuzzer.

pub mod capture;
mod compare;
mod contract;
mod dissect;
mod frames;
mod http;
mod input;
mod journal;
mod packet;
mod policy;
mod recording;
pub mod seeds;
mod tcp;

pub use capture::pcap;
pub use compare::{compare, content};
pub use contract::{document, rules};
pub use dissect::dissect;
pub use http::{body, coding, head};
pub use journal::journal;
pub use packet::packet;
pub use policy::policy;
pub use recording::recording;
pub use tcp::tcp;

/// A target with its name.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: [Target; 14] = [
    ("packet", packet),
    ("tcp", tcp),
    ("head", head),
    ("body", body),
    ("coding", coding),
    ("dissect", dissect),
    ("compare", compare),
    ("content", content),
    ("pcap", pcap),
    ("rules", rules),
    ("document", document),
    ("policy", policy),
    ("journal", journal),
    ("recording", recording),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_seeds_and_holds_for_them_and_for_their_beginnings() {
        for (name, target) in TARGETS {
            let seeds = seeds::of(name);
            assert!(!seeds.is_empty(), "{name}");
            for seed in seeds {
                for end in 0..=seed.len() {
                    target(&seed[..end]);
                }
            }
        }
    }

    /// The build of the targets is told about each of them in three places.
    #[test]
    fn every_target_is_a_program() {
        let manifest = include_str!("../Cargo.toml");
        for (name, _) in TARGETS {
            assert!(
                manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")),
                "{name}"
            );
        }
        assert_eq!(
            manifest.matches("path = \"fuzz_targets/").count(),
            TARGETS.len()
        );
    }
}
