#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("coding"),
    |bytes: &[u8]| mirror_fuzz::coding(bytes)
);
