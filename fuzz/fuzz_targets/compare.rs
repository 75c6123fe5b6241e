#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("compare"),
    |bytes: &[u8]| mirror_fuzz::compare(bytes)
);
