//! Any bytes as the body of an upstream answer: `cargo +nightly fuzz run codec`.

#![no_main]

use grok2api_upstream::codec::fuzz;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| fuzz::check(data));
