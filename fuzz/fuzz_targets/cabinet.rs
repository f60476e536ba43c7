#![no_main]

libfuzzer_sys::fuzz_target!(
    // The fuzzer's panic hook would end the process inside the unpacking code, whose panics Weir contains.
    // A panic that gets out still ends it.
    init: drop(std::panic::take_hook()),
    |data: &[u8]| {
        weir_fuzz::cabinet(data);
    }
);
