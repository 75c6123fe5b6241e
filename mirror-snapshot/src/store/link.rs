//! One connection to the store, made when first needed and again after it broke, with growing pauses.

use std::time::Duration;

#[cfg(all(feature = "tls", any(feature = "sentinel", feature = "cluster")))]
use redis::TlsMode;
#[cfg(feature = "sentinel")]
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, Pipeline, RedisError,
    RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
};
#[cfg(feature = "cluster")]
use redis::{cluster::ClusterClient, cluster_async::ClusterConnection};
use tokio::{sync::Mutex, time::Instant};

use super::{StoreError, StoreOptions, options::Topology};

/// One command and one connection attempt take this long at the most.
const TIMEOUT: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A connection to one node, to a master behind sentinels, or to a cluster, for commands of any kind.
pub struct Link {
    options: StoreOptions,
    state: Mutex<State>,
    #[cfg(feature = "sentinel")]
    sentinels: Mutex<Option<SentinelClient>>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// Counts connections, so that only the one that broke is given up.
    generation: u64,
    failures: u32,
    not_before: Option<Instant>,
}

#[derive(Clone)]
enum Connection {
    One(MultiplexedConnection),
    #[cfg(feature = "cluster")]
    Cluster(ClusterConnection),
}

impl Link {
    /// It connects at the first command.
    pub fn new(options: StoreOptions) -> Self {
        Self {
            options,
            state: Mutex::default(),
            #[cfg(feature = "sentinel")]
            sentinels: Mutex::default(),
        }
    }

    pub fn options(&self) -> &StoreOptions {
        &self.options
    }

    /// What the server answers to a command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, LinkError> {
        let (mut connection, generation) = self.connection().await.map_err(LinkError::Unreached)?;
        let result = command.query_async(&mut connection).await;
        self.given_up(&result, generation).await;
        Ok(result?)
    }

    /// What it answers to commands that are sent in one go.
    pub async fn query_together<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
    ) -> Result<T, LinkError> {
        let (mut connection, generation) = self.connection().await.map_err(LinkError::Unreached)?;
        let result = commands.query_async(&mut connection).await;
        self.given_up(&result, generation).await;
        Ok(result?)
    }

    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let (mut connection, generation) = self.connection().await?;
        let result = command.query_async(&mut connection).await;
        self.checked(result, generation, &[command]).await
    }

    /// Sends commands to one key in one go.
    pub(super) async fn run_together(&self, commands: &Pipeline) -> Result<(), StoreError> {
        let (mut connection, generation) = self.connection().await?;
        let result = commands.query_async(&mut connection).await;
        let commands: Vec<_> = commands.cmd_iter().collect();
        self.checked(result, generation, &commands).await
    }

    /// Gives up a connection that this error broke.
    async fn checked<T>(
        &self,
        result: RedisResult<T>,
        generation: u64,
        commands: &[&Cmd],
    ) -> Result<T, StoreError> {
        self.given_up(&result, generation).await;
        result.map_err(|error| StoreError::of_command(error, commands, &self.options.prefix))
    }

    async fn given_up<T>(&self, result: &RedisResult<T>, generation: u64) {
        if let Err(error) = result
            && breaks(error)
        {
            let mut state = self.state.lock().await;
            if state.generation == generation {
                state.connection = None;
            }
        }
    }

    async fn connection(&self) -> Result<(Connection, u64), StoreError> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.generation));
        }
        let now = Instant::now();
        if let Some(left) = state.not_before.map(|t| t.saturating_duration_since(now))
            && !left.is_zero()
        {
            return Err(StoreError::Backoff(left));
        }
        match tokio::time::timeout(2 * TIMEOUT, self.connect()).await {
            Ok(Ok(connection)) => {
                state.connection = Some(connection.clone());
                state.generation += 1;
                state.failures = 0;
                state.not_before = None;
                Ok((connection, state.generation))
            }
            failed => {
                let pause = FIRST_PAUSE * (1 << state.failures.min(6));
                state.failures += 1;
                state.not_before = Some(Instant::now() + pause.min(LONGEST_PAUSE));
                match failed {
                    Ok(Err(error)) => Err(error.into()),
                    _ => Err(
                        RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut)).into(),
                    ),
                }
            }
        }
    }

    /// A connection of its own that is told of events.
    pub(super) async fn subscription(&self) -> Result<PubSub, StoreError> {
        let client = match &self.options.topology {
            Topology::One => self.client()?,
            #[cfg(feature = "sentinel")]
            Topology::Sentinel { master } => self.sentinels(master)?.async_get_client().await?,
            #[cfg(not(feature = "sentinel"))]
            Topology::Sentinel { .. } => return Err(not_built_in("sentinel").into()),
            Topology::Cluster => {
                let why = "a cluster's nodes tell of their own keys only";
                return Err(RedisError::from((redis::ErrorKind::InvalidClientConfig, why)).into());
            }
        };
        self.prepare_tls();
        Ok(client.get_async_pubsub().await?)
    }

    async fn connect(&self) -> RedisResult<Connection> {
        self.prepare_tls();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        match &self.options.topology {
            Topology::One => {
                let client = self.client()?;
                let connection = client
                    .get_multiplexed_async_connection_with_config(&config)
                    .await?;
                Ok(Connection::One(connection))
            }
            #[cfg(feature = "sentinel")]
            Topology::Sentinel { master } => {
                let mut known = self.sentinels.lock().await;
                let sentinels = match &mut *known {
                    Some(sentinels) => sentinels,
                    none => none.insert(self.sentinels(master)?),
                };
                let connection = sentinels.get_async_connection_with_config(&config).await?;
                Ok(Connection::One(connection))
            }
            #[cfg(feature = "cluster")]
            Topology::Cluster => {
                let connection = self.cluster()?.get_async_connection().await?;
                Ok(Connection::Cluster(connection))
            }
            #[cfg(not(feature = "sentinel"))]
            Topology::Sentinel { .. } => Err(not_built_in("sentinel")),
            #[cfg(not(feature = "cluster"))]
            Topology::Cluster => Err(not_built_in("cluster")),
        }
    }

    /// Chooses the implementation of TLS. Only the first call of a process has an effect.
    fn prepare_tls(&self) {
        #[cfg(feature = "tls")]
        if self.options.tls {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
    }

    #[cfg(feature = "tls")]
    fn certificates(&self) -> redis::TlsCertificates {
        let own = |(client_cert, client_key)| redis::ClientTlsConfig {
            client_cert,
            client_key,
        };
        let certificates = self.options.certificates.clone();
        redis::TlsCertificates {
            client_tls: certificates.own.map(own),
            root_cert: certificates.ca,
        }
    }

    fn address(&self, host: &str, port: u16) -> ConnectionAddr {
        if self.options.tls {
            ConnectionAddr::TcpTls {
                host: host.into(),
                port,
                insecure: false,
                tls_params: None,
            }
        } else {
            ConnectionAddr::Tcp(host.into(), port)
        }
    }

    fn client(&self) -> RedisResult<Client> {
        let options = &self.options;
        let (host, port) = &options.hosts[0];
        let mut settings = redis::RedisConnectionInfo::default().set_db(options.database);
        if let Some(user) = &options.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &options.password {
            settings = settings.set_password(password);
        }
        let info = redis::IntoConnectionInfo::into_connection_info(self.address(host, *port))?;
        let info = info.set_redis_settings(settings);
        #[cfg(feature = "tls")]
        if options.tls {
            return Client::build_with_tls(info, self.certificates());
        }
        Client::open(info)
    }

    #[cfg(feature = "sentinel")]
    fn sentinels(&self, master: &str) -> RedisResult<SentinelClient> {
        let options = &self.options;
        let addresses = options
            .hosts
            .iter()
            .map(|(host, port)| self.address(host, *port));
        let mut builder =
            SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
                .set_client_to_redis_db(options.database);
        #[cfg(feature = "tls")]
        if options.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(self.certificates())
                .set_client_to_sentinel_certificates(self.certificates());
        }
        if let Some(user) = &options.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &options.password {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(user) = &options.sentinel_user {
            builder = builder.set_client_to_sentinel_username(user);
        }
        if let Some(password) = &options.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        builder.build()
    }

    #[cfg(feature = "cluster")]
    fn cluster(&self) -> RedisResult<ClusterClient> {
        let options = &self.options;
        let nodes = options
            .hosts
            .iter()
            .map(|(host, port)| self.address(host, *port));
        let mut builder = ClusterClient::builder(nodes)
            .connection_timeout(TIMEOUT)
            .response_timeout(TIMEOUT)
            .retries(1);
        #[cfg(feature = "tls")]
        if options.tls {
            builder = builder.tls(TlsMode::Secure).certs(self.certificates());
        }
        if let Some(user) = &options.user {
            builder = builder.username(user);
        }
        if let Some(password) = &options.password {
            builder = builder.password(password);
        }
        builder.build()
    }
}

/// Why a command has no answer, or a bad one.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no connection: the command was not sent.
    #[error(transparent)]
    Unreached(StoreError),
    #[error(transparent)]
    Failed(#[from] RedisError),
}

/// The URL was refused already, so that this is never seen.
#[cfg(not(all(feature = "sentinel", feature = "cluster")))]
fn not_built_in(feature: &'static str) -> RedisError {
    (redis::ErrorKind::InvalidClientConfig, feature).into()
}

/// Whether a connection is of no use after this error: it is dead or silent, or no longer the master's.
fn breaks(error: &RedisError) -> bool {
    let server = |kind| error.kind() == redis::ErrorKind::Server(kind);
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || server(ServerErrorKind::ReadOnly)
        || server(ServerErrorKind::MasterDown)
        || server(ServerErrorKind::BusyLoading)
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::One(connection) => connection.req_packed_command(cmd),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::One(connection) => connection.req_packed_commands(commands, offset, count),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::One(connection) => connection.get_db(),
            #[cfg(feature = "cluster")]
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
