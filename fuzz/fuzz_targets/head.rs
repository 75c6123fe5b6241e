#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("head"),
    |bytes: &[u8]| mirror_fuzz::head(bytes)
);
