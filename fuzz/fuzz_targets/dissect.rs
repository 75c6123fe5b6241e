#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("dissect"),
    |bytes: &[u8]| mirror_fuzz::dissect(bytes)
);
