#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("document"),
    |bytes: &[u8]| mirror_fuzz::document(bytes)
);
