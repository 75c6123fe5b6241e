//! A thread that talks to an engine, with a runtime of its own: nothing else waits when the engine does.

use std::thread;

use anyhow::{Context, anyhow};
use tokio::{runtime::Builder, sync::oneshot, task::spawn_blocking};

use crate::transport::Ready;

pub(super) struct EngineThread(thread::JoinHandle<anyhow::Result<()>>);

impl EngineThread {
    /// Returns when the engine is there, or says why it is not.
    pub(super) async fn start<F: Future<Output = anyhow::Result<()>>>(
        name: &str,
        work: impl FnOnce(Ready) -> F + Send + 'static,
    ) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("starting a runtime for the engine")?;
        let (ready, started) = oneshot::channel();
        let thread = thread::Builder::new()
            .name(name.into())
            .spawn(move || runtime.block_on(work(ready)))
            .context("starting a thread for the engine")?;
        started
            .await
            .context("starting a thread for the engine")??;
        Ok(Self(thread))
    }

    /// Resolves when it has ended without being told.
    pub(super) async fn ended(&self) {
        while !self.0.is_finished() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    }

    /// Resolves when it has ended, with what it has to say.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        let joined = spawn_blocking(|| self.0.join()).await?;
        joined.map_err(|_| anyhow!("the thread that talks to the engine panicked"))?
    }
}
