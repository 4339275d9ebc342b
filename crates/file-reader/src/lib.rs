//! Reads small files, such as a config or a secret, within a bounded time and size.
//!
//! Reading a FIFO without a writer would block, and so would reading a file on a mount whose server is down. A FIFO is
//! read without blocking. No system call ends a read from such a mount, so each read has its own thread, which is
//! abandoned after a timeout. Until that thread ends, other reads of the same path fail at once, except for one at
//! growing intervals, because the path may lead to another file system by then.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, ErrorKind, Read},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// How long a read may take. A working disk needs a thousandth of that; the writer of a FIFO may take seconds.
const FILE_TIMEOUT: Duration = Duration::from_secs(5);

/// The timeout while another read hangs, so that a hundred files on one dead mount do not take a hundred times as long.
const SHORT_TIMEOUT: Duration = Duration::from_millis(500);

/// The interval at which a FIFO is read.
const FIFO_INTERVAL: Duration = Duration::from_millis(10);

/// A thread that hangs takes memory. While reads of this many paths hang, reads of others fail at once.
const MAX_HANGING: usize = 100;

const STACK_SIZE: usize = 128 * 1024;

/// The paths whose reads timed out and have not ended.
static HANGING: Mutex<BTreeMap<PathBuf, Hang>> = Mutex::new(BTreeMap::new());

struct Hang {
    since: Instant,
    next_try: Instant,
}

/// Reads a file of at most `max_size` bytes. Blocks for at most 5 s.
///
/// # Errors
/// The file cannot be read, cannot be read in time, or is larger. No message contains the path or the content.
pub fn read(path: &Path, max_size: u64) -> io::Result<Vec<u8>> {
    let (owned, timeout) = (path.to_owned(), timeout(path)?);
    let deadline = Instant::now() + timeout;
    read_in_thread(path, timeout, move || read_without_blocking(&owned, max_size, deadline))
}

/// Reads a text file like [`read`].
///
/// # Errors
/// Those of [`read`], or the text is not UTF-8.
pub fn read_text(path: &Path, max_size: u64) -> io::Result<String> {
    let not_utf8 = |_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text");
    String::from_utf8(read(path, max_size)?).map_err(not_utf8)
}

/// The warning about a secret file that [`is_readable_by_others`].
pub const READABLE_BY_OTHERS: &str =
    "can be read by every user of this machine; restrict it to the exporter, for example with `chmod 640`";

/// Whether every user of this machine can read the file: its permissions and those of its parent directories allow it.
/// False if that is unknown. Blocks, so call it only for files that were just read.
#[must_use]
pub fn is_readable_by_others(path: &Path) -> bool {
    let allows = |path: &Path, bit: u32| path.metadata().is_ok_and(|metadata| metadata.mode() & bit != 0);
    path.canonicalize().is_ok_and(|file| {
        let mut folders = file.ancestors().skip(1);
        allows(&file, 0o004) && folders.all(|folder| allows(folder, 0o001))
    })
}

/// How long a read of the path may take; an error while another read of it hangs.
fn timeout(path: &Path) -> io::Result<Duration> {
    let mut hanging = HANGING.lock();
    let (is_alone, is_full, now) = (hanging.is_empty(), hanging.len() >= MAX_HANGING, Instant::now());
    match hanging.get_mut(path) {
        // Each attempt may leave another thread behind, so the elapsed time doubles between attempts.
        Some(hang) if now >= hang.next_try => hang.next_try = now + (now - hang.since),
        Some(_) => return Err(timed_out()),
        None if is_full => return Err(timed_out()),
        None => {}
    }
    Ok(if is_alone { FILE_TIMEOUT } else { SHORT_TIMEOUT })
}

fn read_in_thread(
    path: &Path,
    timeout: Duration,
    read: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
) -> io::Result<Vec<u8>> {
    let (result_tx, result_rx) = channel();
    let (owned, start) = (path.to_owned(), Instant::now());
    thread::Builder::new().name("file-reader".to_owned()).stack_size(STACK_SIZE).spawn(move || {
        let result = read();
        // Sent while the lock is held: the receiver either gets the result, or has added the path before it is removed.
        let mut hanging = HANGING.lock();
        hanging.remove(&owned);
        // There is no receiver for the result of a read that timed out.
        let _ = result_tx.send(result);
    })?;
    match result_rx.recv_timeout(timeout) {
        Ok(result) => result,
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("its reader panicked")),
        Err(RecvTimeoutError::Timeout) => {
            let mut hanging = HANGING.lock();
            // The read may have ended just now.
            result_rx.try_recv().unwrap_or_else(|_| {
                let next_try = Instant::now() + timeout;
                hanging.entry(path.to_owned()).or_insert(Hang { since: start, next_try });
                Err(timed_out())
            })
        }
    }
}

fn read_without_blocking(path: &Path, max_size: u64, deadline: Instant) -> io::Result<Vec<u8>> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let is_fifo = file.metadata()?.file_type().is_fifo();
    let mut file = file.take(max_size.saturating_add(1));
    let mut content = Vec::new();
    loop {
        match file.read_to_end(&mut content) {
            // No process has opened the FIFO for writing yet.
            Ok(_) if is_fifo && content.is_empty() => {}
            Ok(_) if content.len() as u64 > max_size => {
                return Err(io::Error::new(ErrorKind::FileTooLarge, format!("it is larger than {max_size} bytes")));
            }
            Ok(_) => return Ok(content),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        if Instant::now() >= deadline {
            return Err(timed_out());
        }
        thread::sleep(FIFO_INTERVAL);
    }
}

fn timed_out() -> io::Error {
    io::Error::new(ErrorKind::TimedOut, "reading it hangs; is it a FIFO, or on a mount whose server is gone?")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt, process::Command};

    use super::*;

    #[test]
    fn a_file_is_bounded_in_size() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        for (content, text) in [(&b""[..], Some("")), (b"1234", Some("1234")), (b"12345", None), (b"\xff", None)] {
            fs::write(&path, content).unwrap();
            assert_eq!(read_text(&path, 4).ok().as_deref(), text, "{content:?}");
        }
        assert_eq!(read(&path, 4).unwrap(), b"\xff");
        assert_eq!(read(Path::new("/dev/null"), 4).unwrap(), b"");
        assert_eq!(read(Path::new("/dev/zero"), 1 << 20).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read(&folder.path().join("none"), 4).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(read(folder.path(), 4).unwrap_err().kind(), ErrorKind::IsADirectory);
    }

    #[test]
    fn a_fifo_is_read_to_its_end_or_until_the_timeout() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let deadline = |timeout| Instant::now() + timeout;
        let error = read_without_blocking(&fifo, 9, deadline(FIFO_INTERVAL)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        for (script, expected) in [
            ("sleep 0.1; printf now", Some("now")),
            ("printf in; sleep 0.1; printf ' parts'", Some("in parts")),
            ("printf 'longer than that'", None),
        ] {
            let mut writer = Command::new("sh");
            writer.args(["-c", &format!("({script}) > fifo")]);
            let mut writer = writer.current_dir(&folder).spawn().unwrap();
            let content = read_without_blocking(&fifo, 9, deadline(FILE_TIMEOUT)).ok();
            assert_eq!(content.as_deref(), expected.map(str::as_bytes), "{script}");
            writer.wait().unwrap();
        }
    }

    #[test]
    fn a_read_that_hangs_is_left_behind_until_it_ends() {
        let [path, other] = ["/hangs/one", "/hangs/other"].map(Path::new);
        assert_eq!(timeout(path).unwrap(), FILE_TIMEOUT);
        let (end_tx, end_rx) = channel::<()>();
        let hangs = move || {
            end_rx.recv().unwrap();
            Ok(Vec::new())
        };
        let limit = Duration::from_millis(200);
        let start = Instant::now();
        assert_eq!(read_in_thread(path, limit, hangs).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(start.elapsed() >= limit && start.elapsed() < FILE_TIMEOUT, "{:?}", start.elapsed());
        assert_eq!(timeout(path).unwrap_err().kind(), ErrorKind::TimedOut, "not yet");
        assert_eq!(timeout(other).unwrap(), SHORT_TIMEOUT);

        thread::sleep(limit);
        assert_eq!(timeout(path).unwrap(), SHORT_TIMEOUT, "the path may lead elsewhere");
        assert_eq!(timeout(path).unwrap_err().kind(), ErrorKind::TimedOut, "the next try is later");

        end_tx.send(()).unwrap();
        let end = Instant::now() + FILE_TIMEOUT;
        while HANGING.lock().contains_key(path) {
            assert!(Instant::now() < end, "the read has ended");
            thread::yield_now();
        }
        assert_eq!(timeout(path).unwrap(), FILE_TIMEOUT);
    }

    #[test]
    fn a_file_is_readable_by_others_if_its_directories_are_open_too() {
        let folder = tempfile::tempdir().unwrap();
        let (inner, path) = (folder.path().join("inner"), folder.path().join("inner/file"));
        fs::create_dir(&inner).unwrap();
        fs::write(&path, "secret").unwrap();
        std::os::unix::fs::symlink(&path, folder.path().join("link")).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        for (outer, middle, file, expected) in [
            (0o755, 0o755, 0o644, true),
            (0o711, 0o751, 0o604, true),
            (0o755, 0o755, 0o640, false),
            (0o755, 0o755, 0o600, false),
            (0o755, 0o750, 0o644, false),
            (0o700, 0o755, 0o644, false),
        ] {
            set(folder.path(), outer);
            set(&inner, middle);
            set(&path, file);
            for path in [&path, &folder.path().join("link")] {
                assert_eq!(is_readable_by_others(path), expected, "{outer:o} {middle:o} {file:o}");
            }
        }
        assert!(!is_readable_by_others(&folder.path().join("none")));
        assert!(!is_readable_by_others(Path::new("/proc/self/fd/9999")));
    }
}
