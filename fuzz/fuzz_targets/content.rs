#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("content"),
    |bytes: &[u8]| mirror_fuzz::content(bytes)
);
