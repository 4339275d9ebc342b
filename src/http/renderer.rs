//! Threads that render. On tokio's worker threads, rendering would delay other requests; its blocking pool may be full
//! of reads of files that hang.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use anyhow::Context;
use tokio::sync::{mpsc, oneshot};

/// Jobs in the queue; further ones wait to enter it.
const QUEUE: usize = 16;

type Job = Box<dyn FnOnce() + Send>;

/// A thread that renders one job at a time, until this is dropped.
pub(super) struct Renderer(mpsc::Sender<Job>);

impl Renderer {
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                // The requester sees a panic, because the sender of the result is dropped.
                drop(catch_unwind(AssertUnwindSafe(job)));
            }
        })?;
        Ok(Self(jobs))
    }

    /// Runs a job, unless this future is dropped before its turn.
    ///
    /// # Errors
    /// The job panics.
    pub(super) async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        let (result_tx, result_rx) = oneshot::channel();
        let job = Box::new(move || {
            if !result_tx.is_closed() {
                // The requester may be gone.
                drop(result_tx.send(job()));
            }
        });
        self.0.send(job).await.ok().context("the thread is gone")?;
        result_rx.await.context("a panic")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };

    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_job_that_panics_fails_alone() {
        let renderer = Renderer::start("test").unwrap();
        assert!(renderer.run(|| panic!("on purpose")).await.is_err());
        assert_eq!(renderer.run(|| 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_job_that_is_given_up_leaves_nothing() {
        let renderer = Arc::new(Renderer::start("test").unwrap());
        let (barrier, ran) = (Arc::new(Barrier::new(2)), Arc::new(AtomicUsize::new(0)));
        let held = barrier.clone();
        let first = tokio::spawn({
            let renderer = renderer.clone();
            async move { renderer.run(move || held.wait()).await.is_ok() }
        });
        yield_now().await;
        for _ in 0..2 * QUEUE {
            let (renderer, ran) = (renderer.clone(), ran.clone());
            let request = tokio::spawn(async move { renderer.run(move || ran.fetch_add(1, Relaxed)).await });
            yield_now().await;
            request.abort();
            assert!(request.await.unwrap_err().is_cancelled());
        }
        barrier.wait();
        assert!(first.await.unwrap());
        assert_eq!(renderer.run(|| 1).await.unwrap(), 1);
        assert_eq!(ran.load(Relaxed), 0);
    }
}
