//! Child processes: start, read the output, send signals, and kill them when the test ends.

use std::{
    fs,
    io::{ErrorKind, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Condvar, Mutex},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// A limit that no step reaches, even on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// The time between two checks of a condition.
const POLL_PERIOD: Duration = Duration::from_millis(20);

/// The exporter's binary with these arguments and an empty environment.
pub(crate) fn exporter<const N: usize>(folder: &Path, arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mongodbatlas-peering-exporter"));
    command.current_dir(folder).env_clear().args(arguments);
    command
}

/// Waits for a result, and fails the test if that takes too long.
pub(crate) fn wait_for<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < TIMEOUT, "timed out waiting for {what}");
        thread::sleep(POLL_PERIOD);
    }
}

/// A running program, killed on drop.
pub(crate) struct Running {
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// The result of a program.
pub(crate) struct Ended {
    pub(crate) status: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(command: Command) -> Running {
        Running::start_with_input(command, Stdio::null())
    }

    pub(crate) fn start_with_input(mut command: Command, input: Stdio) -> Running {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().unwrap_or_else(|error| match error.kind() {
            ErrorKind::NotFound => panic!("`{program}` is missing; `make setup` installs it"),
            _ => panic!("start `{program}`: {error}"),
        });
        let stdout = Output::of(child.stdout.take().unwrap());
        let stderr = Output::of(child.stderr.take().unwrap());
        Running { child, stdout, stderr }
    }

    /// Waits until `find` finds something in the log.
    pub(crate) fn wait_for_log<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        self.stderr.wait_for(what, find)
    }

    /// Waits until `find` finds something in standard output.
    pub(crate) fn wait_for_output<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        self.stdout.wait_for(what, find)
    }

    /// Waits for a log line with the phrase, and returns the word after it.
    pub(crate) fn word_after(&self, phrase: &str) -> String {
        self.wait_for_log(phrase, |log| words_after(log, phrase).pop())
    }

    /// The address in the `number`th line about a listener, from 0.
    pub(crate) fn address(&self, number: usize) -> String {
        let phrase = "listening on ";
        self.wait_for_log(phrase, |log| words_after(log, phrase).get(number).cloned())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A file of the system about the program.
    pub(crate) fn proc_file(&self, name: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap()
    }

    /// The most memory that the program has had so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = self.proc_file("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        // `kill` is a shell builtin.
        let line = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    }

    /// Waits until the program exits.
    pub(crate) fn end(mut self) -> Ended {
        // Both are closed on exit.
        let stdout = self.stdout.whole();
        let stderr = self.stderr.whole();
        Ended { status: self.child.wait().unwrap().code(), stdout, stderr }
    }

    /// Sends SIGTERM and waits until the program exits.
    pub(crate) fn terminate(self) -> Ended {
        self.signal("TERM");
        self.end()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has already exited.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a program until it exits.
pub(crate) fn run(command: Command) -> Ended {
    Running::start(command).end()
}

fn words_after(log: &str, phrase: &str) -> Vec<String> {
    // The last line may be incomplete.
    let lines = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let rests = lines.filter_map(|line| line.split_once(phrase));
    let word = |(_, rest): (&str, &str)| rest.split([' ', '"', ';', '\n']).next().map(str::to_owned);
    rests.filter_map(word).collect()
}

/// The output of a program, read by a thread so that the program never blocks.
struct Output {
    written: Arc<(Mutex<Written>, Condvar)>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Output {
    fn of(mut pipe: impl Read + Send + 'static) -> Output {
        let written = Arc::<(Mutex<Written>, Condvar)>::default();
        let shared = written.clone();
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let size = pipe.read(&mut buffer).unwrap_or(0);
                let mut written = shared.0.lock().unwrap();
                written.bytes.extend_from_slice(&buffer[..size]);
                written.ended = size == 0;
                shared.1.notify_all();
                if size == 0 {
                    return;
                }
            }
        });
        Output { written, reader: Some(reader) }
    }

    fn wait_for<T>(&self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let (written, changed) = &*self.written;
        let deadline = Instant::now() + TIMEOUT;
        let mut written = written.lock().unwrap();
        loop {
            let text = String::from_utf8_lossy(&written.bytes).into_owned();
            if let Some(found) = find(&text) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!written.ended && !left.is_zero(), "no `{what}` in:\n{text}");
            written = changed.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Waits for the end and returns all output, which must be UTF-8.
    fn whole(&mut self) -> String {
        let (written, changed) = &*self.written;
        let guard = written.lock().unwrap();
        let (mut guard, timeout) = changed.wait_timeout_while(guard, TIMEOUT, |written| !written.ended).unwrap();
        let text = String::from_utf8(std::mem::take(&mut guard.bytes)).unwrap();
        assert!(!timeout.timed_out(), "the program does not exit; its output:\n{text}");
        drop(guard);
        self.reader.take().map(JoinHandle::join).transpose().unwrap();
        text
    }
}
