#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("recording"),
    |bytes: &[u8]| mirror_fuzz::recording(bytes)
);
