#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("rules"),
    |bytes: &[u8]| mirror_fuzz::rules(bytes)
);
