//! Arguments, logging, config, listener, run, exit code; nothing else.

fn main() {}
