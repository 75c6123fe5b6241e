#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("tcp"),
    |bytes: &[u8]| mirror_fuzz::tcp(bytes)
);
