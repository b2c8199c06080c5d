//! Threads that do nothing but compute, and the queue before them.
//! Must not know what a job does, and must not block an async thread: who finds the queue full waits in its future.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::{mpsc, oneshot};
use wasmtime::Engine;

/// A queued job holds its page in memory. So many keep a worker busy while the next caller wakes up; more would only be
/// memory, since the callers beyond wait in turn anyway.
const QUEUED_PER_WORKER: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

/// The threads end when this is gone and the queue is empty.
pub(super) struct Workers {
    queue: mpsc::Sender<Job>,
}

impl Workers {
    pub(super) fn start(count: usize) -> io::Result<Self> {
        let count = count.max(1);
        let (queue, jobs) = mpsc::channel(count * QUEUED_PER_WORKER);
        let jobs = Arc::new(Mutex::new(jobs));
        for number in 0..count {
            let jobs = jobs.clone();
            thread::Builder::new()
                .name(format!("element-{number}"))
                .spawn(move || work(&jobs))?;
        }
        Ok(Self { queue })
    }

    /// Runs the job on a worker, in order of arrival. None when it panicked. A job whose future was dropped before its
    /// turn came is not run.
    pub(super) fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> impl Future<Output = Option<T>> + Send + 'static {
        let queue = self.queue.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            let job = move || {
                if !answer.is_closed() {
                    // Nobody minds when the caller left meanwhile.
                    let _ = answer.send(job());
                }
            };
            queue.send(Box::new(job)).await.ok()?;
            answered.await.ok()
        }
    }
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    // The first call on a thread would take some hundred microseconds longer.
    Engine::tls_eager_initialize();
    loop {
        // Held while waiting: one worker waits for a job, the others for their turn to wait.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        // The job's own store went with it; the thread goes on. The caller sees its answer's channel closed.
        if catch_unwind(AssertUnwindSafe(job)).is_err() {
            tracing::error!(blame = "gateway", "a call of an element panicked in the host");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[tokio::test]
    async fn a_job_that_panics_costs_no_worker() {
        let workers = Workers::start(1).unwrap();
        assert_eq!(workers.run(|| panic!("on purpose")).await, None::<()>);
        assert_eq!(workers.run(|| 1).await, Some(1));
    }

    #[tokio::test]
    async fn a_job_nobody_waits_for_any_more_is_not_run() {
        let workers = Workers::start(1).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn(workers.run(move || wait.recv()));
        let ran = Arc::new(AtomicBool::new(false));
        let mark = ran.clone();
        let second = tokio::spawn(workers.run(move || mark.store(true, Ordering::SeqCst)));
        tokio::task::yield_now().await;
        second.abort();
        assert!(second.await.unwrap_err().is_cancelled());
        go.send(()).unwrap();
        first.await.unwrap().unwrap().unwrap();
        workers.run(|| ()).await.unwrap();
        assert!(!ran.load(Ordering::SeqCst));
    }

    #[tokio::test]
    async fn a_full_queue_waits_without_holding_the_async_thread() {
        let workers = Workers::start(1).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let first = tokio::spawn(workers.run(move || wait.recv().is_ok()));
        let rest: Vec<_> = (0..3 * QUEUED_PER_WORKER)
            .map(|n| tokio::spawn(workers.run(move || n)))
            .collect();
        // This test has one async thread: that we get here says that it is free.
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        assert_eq!(first.await.unwrap(), Some(true));
        for (n, job) in rest.into_iter().enumerate() {
            assert_eq!(job.await.unwrap(), Some(n));
        }
    }
}
