#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("journal"),
    |bytes: &[u8]| mirror_fuzz::journal(bytes)
);
