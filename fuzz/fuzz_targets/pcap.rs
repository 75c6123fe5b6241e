#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mirror_fuzz::seeds::write("pcap"),
    |bytes: &[u8]| mirror_fuzz::pcap(bytes)
);
