//! The engines that the stories are told with.

use anyhow::{Result, bail};
use mirror_tests::local_redis::LocalRedis;
use mirror_tests::net::{Host, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::wait_until;

use super::LIMIT;
#[cfg(feature = "kafka")]
use super::kafka;

pub(crate) enum TestEngine {
    Redis(LocalRedis),
    /// One node of several, by their URL.
    Several {
        url: String,
        nodes: Vec<Redis>,
    },
    #[cfg(feature = "kafka")]
    Kafka(kafka::Topic),
}

/// Tells a story with a cluster of three, where the partitions are on several nodes.
pub(crate) fn with_cluster(story: impl Fn(&mut TestEngine) -> Result<()> + Sync) -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let ports = [7001, 7002, 7003];
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let nodes = ports
        .iter()
        .map(|port| Redis::on_port(&network, &scratch, *port, &options));
    let nodes = nodes.collect::<Result<Vec<_>>>()?;
    let addresses: Vec<_> = ports.iter().map(|port| format!("{host}:{port}")).collect();
    let mut create = vec!["--cluster", "create"];
    create.extend(addresses.iter().map(String::as_str));
    create.push("--cluster-yes");
    Redis::ask(&network, 7001, &create)?;
    wait_until("the cluster", LIMIT, || {
        ports.iter().all(|port| {
            Redis::ask(&network, *port, &["cluster", "info"])
                .is_ok_and(|said| said.contains("cluster_state:ok"))
        })
    })?;
    let url = format!("redis+cluster://{}/shop", addresses.join(","));
    let mut engine = TestEngine::Several { url, nodes };
    network.on(Host::Mirror, || story(&mut engine))?;
    for port in ports {
        let keys: u64 = Redis::ask(&network, port, &["dbsize"])?.parse()?;
        anyhow::ensure!(keys > 0, "the node on port {port} holds nothing");
    }
    Ok(())
}

/// Tells a story with a master, a replica, and three sentinels.
pub(crate) fn with_sentinels(story: impl Fn(&mut TestEngine) -> Result<()> + Sync) -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let master = Redis::start(&network, &scratch)?;
    let follow = ["--replicaof", &format!("{host} 6379")];
    let replica = Redis::on_port(&network, &scratch, 6380, &follow)?;
    let ports = [26379, 26380, 26381];
    let sentinels = ports
        .iter()
        .map(|port| Redis::sentinel(&network, &scratch, *port));
    let sentinels = sentinels.collect::<Result<Vec<_>>>()?;
    wait_until("the sentinels' agreement", LIMIT, || {
        let asked = |what: &str| Redis::ask(&network, 26379, &["sentinel", what, "main"]);
        asked("replicas").is_ok_and(|said| said.contains("runid"))
            && asked("ckquorum").is_ok_and(|said| said.starts_with("OK 3"))
    })?;
    let hosts: Vec<_> = ports.iter().map(|port| format!("{host}:{port}")).collect();
    let url = format!("redis+sentinel://{}/main/shop", hosts.join(","));
    let mut nodes = vec![master, replica];
    nodes.extend(sentinels);
    let mut engine = TestEngine::Several { url, nodes };
    network.on(Host::Mirror, || story(&mut engine))
}

/// Tells a story with each engine, which keeps what it has when it is killed.
pub(crate) fn with_each(story: impl Fn(&mut TestEngine) -> Result<()>) -> Result<()> {
    #[cfg(feature = "kafka")]
    if let Some(brokers) = kafka::chosen() {
        return kafka::with(brokers, story);
    }
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
            Self::Several { url, .. } => url.clone(),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.url(),
        }
    }

    pub(crate) fn kill(&mut self) {
        match self {
            Self::Redis(redis) => redis.stop(),
            // The first one of them: a master.
            Self::Several { nodes, .. } => nodes[0].kill(),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.kill(),
        }
    }

    pub(crate) fn start_again(&mut self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.start_again(),
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.start_again(),
        }
    }

    pub(crate) fn freeze(&self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.freeze(),
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.freeze(),
        }
    }

    pub(crate) fn thaw(&self) -> Result<()> {
        match self {
            Self::Redis(redis) => redis.thaw(),
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.thaw(),
        }
    }

    /// From now on it takes no more values, or takes them again.
    pub(crate) fn fill(&self, is_full: bool) -> Result<()> {
        let limit = if is_full { "1" } else { "0" };
        match self {
            Self::Redis(redis) => redis.command(&["config", "set", "maxmemory", limit]),
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => bail!("brokers of Kafka have no bound of memory"),
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
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.write(partition, frame),
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
            Self::Several { .. } => bail!("only a single one can"),
            #[cfg(feature = "kafka")]
            Self::Kafka(topic) => topic.trim(partition, left),
        }
    }
}
