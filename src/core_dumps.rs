//! Disables core dumps: they would contain the credentials.

use rustix::{
    io,
    process::{Resource, Rlimit, setrlimit},
};

/// Disables core dumps of this process. On Linux, other processes of the same user cannot read its memory either, and
/// no dump is piped to a program such as systemd-coredump.
///
/// # Errors
/// The operating system refuses.
pub fn disable() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use rustix::process::{DumpableBehavior, dumpable_behavior, getrlimit};

    use super::*;

    #[test]
    fn core_dumps_are_off() {
        disable().unwrap();
        assert_eq!(getrlimit(Resource::Core), Rlimit { current: Some(0), maximum: Some(0) });
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
        disable().expect("it is allowed again");
    }
}
