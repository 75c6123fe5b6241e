#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("policy"),
    |bytes: &[u8]| mirror_fuzz::policy(bytes)
);
