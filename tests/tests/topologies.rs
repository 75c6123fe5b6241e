//! Redis as people run it: Sentinel, Cluster, TLS, users and passwords, prefixes, refusals.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use mirror_snapshot::{
    DEFAULT_TTL, RedisStore, RequestId, StoreError, WaitOptions, Waited, store::Waiter,
};
use mirror_tests::net::{Host, Network};
use mirror_tests::redis::Redis;
use mirror_tests::scratch::Scratch;
use mirror_tests::{needs, testing};

/// Long enough for an election among sentinels.
const LIMIT: Duration = Duration::from_secs(30);

fn id(text: &str) -> RequestId {
    RequestId::new(text).expect("a valid id")
}

/// Runs `story` on the host where the stores are.
fn on_host(network: &Network, story: impl AsyncFnOnce() -> Result<()> + Send) -> Result<()> {
    network.on(Host::Mirror, || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(story())
    })
}

/// What every store does: file, find, wait for, extend.
async fn contract(store: &RedisStore) -> Result<()> {
    let ids: Vec<_> = (0..50).map(|n| id(&format!("contract-{n}"))).collect();
    for one in &ids {
        store.put(one, one.as_str().as_bytes(), DEFAULT_TTL).await?;
    }
    let values = store.look(&ids).await?;
    for (one, value) in ids.iter().zip(values) {
        assert_eq!(value.as_deref(), Some(one.as_str().as_bytes()));
    }
    assert!(store.extend(&ids[0], 2 * DEFAULT_TTL).await?);
    assert!(store.ttls(&ids[..1]).await[0].is_some_and(|left| left > DEFAULT_TTL));
    let waiter = Waiter::new(store.clone(), WaitOptions::default());
    let found = waiter
        .wait(
            vec![id("contract-none"), ids[7].clone()],
            Box::new(|_, _| true),
        )
        .await;
    assert!(matches!(found, Waited::Hit(hit) if hit.id == ids[7]));
    Ok(())
}

/// Puts until one succeeds, as a service goes on doing while its store is away.
async fn until_filed(store: &RedisStore, label: &str) -> Result<()> {
    let began = Instant::now();
    for n in 0.. {
        match store
            .put(&id(&format!("{label}-{n}")), b"data", DEFAULT_TTL)
            .await
        {
            Ok(_) => break,
            Err(error) => ensure!(began.elapsed() < LIMIT, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

fn main() -> ExitCode {
    testing::main()
}

#[needs(root)]
fn a_sentinel_trio_names_the_master_also_after_a_failover() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let mut master = Redis::start(&network, &scratch)?;
    let _replica = Redis::on_port(
        &network,
        &scratch,
        6380,
        &["--replicaof", &format!("{host} 6379")],
    )?;
    let ports = [26379, 26380, 26381];
    let trio: Result<Vec<_>> = ports
        .iter()
        .map(|p| Redis::sentinel(&network, &scratch, *p))
        .collect();
    let _trio = trio?;
    // They find each other and the replica through the master.
    mirror_tests::wait_until("the trio's agreement", LIMIT, || {
        let knows = |what: &str| {
            Redis::ask(&network, 26379, &["sentinel", what, "main"])
                .is_ok_and(|t| t.matches("runid").count() > 0)
        };
        knows("replicas")
            && Redis::ask(&network, 26379, &["sentinel", "ckquorum", "main"])
                .is_ok_and(|t| t.starts_with("OK 3"))
    })?;
    let url = format!("redis+sentinel://{host}:26379,{host}:26380,{host}:26381/main");
    on_host(&network, async || {
        let store = RedisStore::connect(&url)?;
        contract(&store).await?;
        master.kill();
        until_filed(&store, "after").await?;
        contract_again(&store).await
    })
}

async fn contract_again(store: &RedisStore) -> Result<()> {
    let one = id("again");
    store.put(&one, b"data", DEFAULT_TTL).await?;
    assert!(store.look(&[one]).await?[0].is_some());
    Ok(())
}

#[needs(root)]
fn a_cluster_of_three_holds_the_ids_among_them() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let ports = [7001, 7002, 7003];
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"];
    let nodes: Result<Vec<_>> = ports
        .iter()
        .map(|p| Redis::on_port(&network, &scratch, *p, &options))
        .collect();
    let nodes = nodes?;
    let addresses: Vec<_> = ports.iter().map(|port| format!("{host}:{port}")).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let create = [
        &["--cluster", "create"],
        addresses.as_slice(),
        &["--cluster-yes"],
    ]
    .concat();
    Redis::ask(&network, 7001, &create)?;
    mirror_tests::wait_until("the cluster", LIMIT, || {
        ports.iter().all(|port| {
            Redis::ask(&network, *port, &["cluster", "info"])
                .is_ok_and(|t| t.contains("cluster_state:ok"))
        })
    })?;
    on_host(&network, async || {
        let store = RedisStore::connect(&format!("redis+cluster://{}", addresses[1..].join(",")))?;
        contract(&store).await?;
        for port in ports {
            let keys: u64 = Redis::ask(&network, port, &["dbsize"])?.parse()?;
            assert!(keys > 0, "node {port} holds none");
        }
        // One node silent: what it holds cannot be had, within the time of a command, and then again.
        nodes[0].freeze()?;
        let began = Instant::now();
        let ids: Vec<_> = (0..50).map(|n| id(&format!("contract-{n}"))).collect();
        let silent = store.look(&ids).await;
        assert!(
            silent.is_err() && began.elapsed() < Duration::from_secs(5),
            "{silent:?} {:?}",
            began.elapsed()
        );
        nodes[0].thaw()?;
        let began = Instant::now();
        while store.look(&ids).await.is_err() {
            ensure!(began.elapsed() < LIMIT, "the cluster does not answer again");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    })
}

#[needs(root)]
fn tls_with_a_users_password_and_a_prefix() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address().to_string();
    let certificate = rcgen::generate_simple_self_signed(vec![host.clone()])?;
    let (cert, key) = (scratch.join("cert.pem"), scratch.join("key.pem"));
    std::fs::write(&cert, certificate.cert.pem())?;
    std::fs::write(&key, certificate.signing_key.serialize_pem())?;
    let text = |path: &std::path::Path| path.to_str().map(str::to_owned).context("a path in UTF-8");
    let (cert, key) = (text(&cert)?, text(&key)?);
    let options = [
        "--tls-port",
        "6390",
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &cert,
        "--tls-auth-clients",
        "no",
        "--user",
        "shop",
        "on",
        ">p@ss",
        "~shop:*",
        "+@all",
    ];
    let _redis = Redis::on_port(&network, &scratch, 6391, &options)?;
    let url = |password: &str, prefix: &str, ca: &str| {
        format!("rediss://shop:{password}@{host}:6390/?prefix={prefix}&ca={ca}")
    };
    on_host(&network, async || {
        let store = RedisStore::connect(&url("p%40ss", "shop:", &cert))?;
        contract(&store).await?;
        let elsewhere = RedisStore::connect(&url("p%40ss", "other:", &cert))?;
        let refused = elsewhere
            .put(&id("a"), b"data", DEFAULT_TTL)
            .await
            .expect_err("no rights there");
        assert!(
            refused.to_string().contains("NOPERM") || refused.to_string().contains("permission"),
            "{refused}"
        );
        let refused = RedisStore::connect(&url("wrong", "shop:", &cert))?
            .ping()
            .await
            .expect_err("a wrong password");
        assert!(!refused.to_string().contains("wrong@"), "{refused}");
        // A certificate that nobody vouches for.
        let unknown = RedisStore::connect(&format!("rediss://shop:p%40ss@{host}:6390"))?;
        assert!(unknown.ping().await.is_err());
        Ok(())
    })
}

#[needs(root)]
fn a_store_that_refuses_is_an_error_and_not_a_wait() -> Result<()> {
    let (network, scratch) = (Network::new()?, Scratch::new()?);
    let host = Host::Mirror.address();
    let _master = Redis::start(&network, &scratch)?;
    let _replica = Redis::on_port(
        &network,
        &scratch,
        6380,
        &["--replicaof", &format!("{host} 6379")],
    )?;
    let full = ["--maxmemory", "2mb", "--maxmemory-policy", "noeviction"];
    let _full = Redis::on_port(&network, &scratch, 6381, &full)?;
    on_host(&network, async || {
        let refused = async |port: u16, size: usize| -> Result<String> {
            let store = RedisStore::connect(&format!("redis://{host}:{port}"))?;
            let mut last = None;
            for n in 0..8 {
                last = store
                    .put(&id(&format!("large-{n}")), &vec![b'x'; size], DEFAULT_TTL)
                    .await
                    .err()
                    .or(last);
            }
            let error: StoreError = last.with_context(|| format!("port {port} took everything"))?;
            Ok(error.to_string())
        };
        let replica = refused(6380, 10).await?;
        assert!(
            replica.to_lowercase().contains("read") || replica.contains("tried again"),
            "{replica}"
        );
        let full = refused(6381, 1 << 20).await?;
        assert!(full.contains("memory"), "{full}");
        Ok(())
    })
}
