//! The engines that the stories are told with.

use anyhow::Result;
use mirror_tests::local_redis::LocalRedis;

pub(crate) enum TestEngine {
    Redis(LocalRedis),
}

/// Tells a story with each engine, which keeps what it has when it is killed.
pub(crate) fn with_each(story: impl Fn(&mut TestEngine) -> Result<()>) -> Result<()> {
    let redis = LocalRedis::start_with(&["--appendonly", "yes"])?;
    story(&mut TestEngine::Redis(redis))
}

/// The same with engines that forget everything.
pub(crate) fn with_each_forgetful(story: impl Fn(&mut TestEngine) -> Result<()>) -> Result<()> {
    story(&mut TestEngine::Redis(LocalRedis::start()?))
}

impl TestEngine {
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(redis) => format!("{}/shop", redis.url()),
        }
    }

    pub(crate) fn kill(&mut self) {
        match self {
            Self::Redis(redis) => redis.stop(),
        }
    }

    pub(crate) fn start_again(&mut self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.start_again(),
        }
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.freeze(),
        }
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.thaw(),
        }
    }

    /// From now on it takes no more values, or takes them again.
    pub(crate) fn fill(&self, is_full: bool) -> Result<()> {
        let limit = if is_full { "1" } else { "0" };
        match self {
            Self::Redis(redis) => redis.command(&["config", "set", "maxmemory", limit]),
        }
    }

    /// Puts a frame of somebody else into a partition.
    pub(crate) fn write(&self, partition: u32, frame: &[u8]) -> Result<()> {
        match self {
            Self::Redis(redis) => {
                let stream = format!("{{shop:{partition}}}");
                redis.ask_with(&["-x", "xadd", &stream, "*", "f"], frame)?;
                Ok(())
            }
        }
    }

    /// Takes the oldest frames of a partition away, but so many.
    pub(crate) fn trim(&self, partition: u32, left: u32) -> Result<()> {
        match self {
            Self::Redis(redis) => {
                let stream = format!("{{shop:{partition}}}");
                redis.ask(&["xtrim", &stream, "maxlen", &left.to_string()])?;
                Ok(())
            }
        }
    }
}
