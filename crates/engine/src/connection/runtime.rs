//! Where the library's tasks run.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::task::AbortHandle as TokioAbortHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use whatsapp_rust::async_trait;
use whatsapp_rust::wacore::runtime::{AbortHandle, Runtime};

use super::Attempt;
use crate::EndReason;

type Task = Pin<Box<dyn Future<Output = ()> + Send + 'static>>;

/// Tokio, with every task of the session counted, cancelled with it, and
/// watched: a task that panics would leave a session that looks alive and is
/// deaf, so it ends the session instead, and only that one.
pub(super) struct SessionRuntime {
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    pub(super) attempt: Arc<Attempt>,
}

impl SessionRuntime {
    fn start(&self, task: Task) -> TokioAbortHandle {
        let cancel = self.cancel.clone();
        let attempt = Arc::clone(&self.attempt);
        let watched = async move {
            tokio::select! {
                biased;
                () = cancel.cancelled() => {}
                result = AssertUnwindSafe(task).catch_unwind() => {
                    if result.is_err() {
                        tracing::error!("a task of the session panicked");
                        attempt.end(EndReason::Crashed);
                    }
                }
            }
        };
        self.tasks.spawn(watched).abort_handle()
    }
}

#[async_trait]
impl Runtime for SessionRuntime {
    fn spawn(&self, future: Task) -> AbortHandle {
        let handle = self.start(future);
        AbortHandle::new(move || handle.abort())
    }

    fn spawn_detached(&self, future: Task) {
        self.start(future);
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(duration))
    }

    fn spawn_blocking(
        &self,
        work: Box<dyn FnOnce() + Send + 'static>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let running = self.tasks.spawn_blocking(work);
        let attempt = Arc::clone(&self.attempt);
        Box::pin(async move {
            if running.await.is_err_and(|error| error.is_panic()) {
                tracing::error!("a blocking task of the session panicked");
                attempt.end(EndReason::Crashed);
            }
        })
    }

    fn yield_now(&self) -> Option<Pin<Box<dyn Future<Output = ()> + Send>>> {
        // One session must not hold a worker thread while it drains its backlog.
        Some(Box::pin(tokio::task::yield_now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runtime() -> SessionRuntime {
        SessionRuntime {
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            attempt: Arc::new(Attempt::default()),
        }
    }

    #[tokio::test]
    async fn a_panic_ends_the_session_and_nothing_else() {
        let runtime = runtime();
        runtime
            .spawn(Box::pin(async { panic!("on purpose") }))
            .detach();
        runtime.attempt.ended().await;
        runtime.tasks.close();
        runtime.tasks.wait().await;
    }

    #[tokio::test]
    async fn cancelling_ends_every_task() {
        let runtime = runtime();
        for _ in 0..3 {
            runtime.spawn_detached(Box::pin(std::future::pending()));
        }
        runtime.cancel.cancel();
        runtime.tasks.close();
        runtime.tasks.wait().await;
    }
}
