#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("body"),
    |bytes: &[u8]| mirror_fuzz::body(bytes)
);
