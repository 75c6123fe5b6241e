#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("packet"),
    |bytes: &[u8]| mirror_fuzz::packet(bytes)
);
