//! The manifest on a real Kubernetes of two nodes: the traffic of a Deployment with a pod on each is
//! mirrored to another Deployment, and stopping the agent leaves the final ledger in its log.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use mirror_tests::cluster::{self, Cluster};
use mirror_tests::process::Process;
use mirror_tests::scratch::Scratch;
use mirror_tests::{needs, testing};
use mirror_tests::{wait_until, workspace};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);
/// The target that the manifest comes with.
const MIRROR_ADDRESS: &str = "10.96.0.100";
const REQUESTS_PER_POD: u64 = 20;

/// Production has no probes, so that every captured request is one of the test's own. Its pods
/// are on different nodes; the mirror listens where nothing is captured.
const SERVICES: &str = r#"
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: production, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: production}}
  template:
    metadata: {labels: {app: production}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: production}}
      containers:
      - {name: hello, image: "localhost/hello:1", imagePullPolicy: IfNotPresent, args: [":8080"]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: mirror, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: mirror}}
  template:
    metadata: {labels: {app: mirror}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: hello, image: "localhost/hello:1", imagePullPolicy: IfNotPresent, args: [":9090"]}
---
apiVersion: v1
kind: Service
metadata: {name: mirror, namespace: shop}
spec: {clusterIP: 10.96.0.100, selector: {app: mirror}, ports: [{port: 80, targetPort: 9090}]}
"#;

fn main() -> ExitCode {
    testing::main()
}

#[needs(root, cluster)]
fn the_daemonset_mirrors_pods_on_both_nodes() -> Result<()> {
    let directory = cluster::directory().context(cluster::PLACE)?;
    let scratch = Scratch::new()?;
    cluster::leave_network()?;
    let cluster = Cluster::start(directory)?;
    cluster.apply(SERVICES)?;
    for deployment in ["deployment/production", "deployment/mirror"] {
        cluster.kubectl(&[
            "-n",
            "shop",
            "rollout",
            "status",
            deployment,
            "--timeout=60s",
        ])?;
    }
    let production = pods(&cluster, "shop", "app=production")?;
    assert_eq!(production.len(), 2);
    assert_ne!(production[0].node, production[1].node, "a pod on each node");
    for pod in &production {
        wait_until("an answer of production", LIMIT, || {
            get(&cluster, &pod.address).is_ok()
        })?;
    }

    let manifest = workspace::root().join("deploy/daemonset.yaml");
    let manifest = std::fs::read_to_string(&manifest)
        .with_context(|| format!("reading {}", manifest.display()))?;
    assert!(manifest.contains(MIRROR_ADDRESS));
    // The nodes are this machine.
    let kept = "path: /var/lib/mirror-agent";
    assert!(manifest.contains(kept));
    let runs = scratch.join("runs");
    let manifest = manifest.replace(kept, &format!("path: {}", runs.display()));
    cluster.apply(&manifest)?;
    cluster.kubectl(&[
        "-n",
        "mirror",
        "rollout",
        "status",
        "daemonset/mirror-agent",
        "--timeout=60s",
    ])?;
    let agents = pods(&cluster, "mirror", "app.kubernetes.io/name=mirror-agent")?;
    assert_eq!(agents.len(), 2);

    for pod in &production {
        for _ in 0..REQUESTS_PER_POD {
            get(&cluster, &pod.address)?;
        }
    }
    for agent in &agents {
        check_ledger(&cluster, agent)?;
    }
    check_final_ledgers(&cluster, &agents, &scratch)
}

/// The replay of every request got an answer. It differs: each pod tells its own name.
fn check_ledger(cluster: &Cluster, agent: &Pod) -> Result<()> {
    let mut status = Value::Null;
    let settled = wait_until("the ledger of an agent", LIMIT, || {
        status = ask_status(cluster, agent).unwrap_or(Value::Null);
        let count = |name: &str| status["ledger"]["outcomes"][name].as_u64().unwrap_or(0);
        count("matched") + count("differed") == REQUESTS_PER_POD
    });
    settled.with_context(|| format!("on {}: {status:#}", agent.node))?;
    assert_eq!(status["ledger"]["seen"], REQUESTS_PER_POD, "{status:#}");
    Ok(())
}

fn ask_status(cluster: &Cluster, agent: &Pod) -> Result<Value> {
    let program = "/usr/bin/mirror-agent";
    let text = cluster.kubectl(&[
        "-n",
        "mirror",
        "exec",
        &agent.name,
        "--",
        program,
        "status",
        "--json",
    ])?;
    serde_json::from_str(&text).context("parsing the status")
}

/// Deletes the DaemonSet while following the logs, which go with the pods.
fn check_final_ledgers(cluster: &Cluster, agents: &[Pod], scratch: &Scratch) -> Result<()> {
    let mut logs = Vec::new();
    for agent in agents {
        let command = cluster.kubectl_command(&["-n", "mirror", "logs", "--follow", &agent.name]);
        let mut log = Process::spawn(&agent.name, command, scratch.path())?;
        log.wait_ready("the log so far", LIMIT, |log| {
            log.log().contains("capturing on")
        })?;
        logs.push(log);
    }
    cluster.kubectl(&[
        "-n",
        "mirror",
        "delete",
        "daemonset/mirror-agent",
        "--wait",
        "--timeout=60s",
    ])?;
    for log in &mut logs {
        log.wait(LIMIT)?;
        let text = log.log();
        let seen = text
            .lines()
            .any(|line| line.contains("seen") && line.contains(&REQUESTS_PER_POD.to_string()));
        assert!(seen, "no final ledger in the log:\n{text}");
    }
    Ok(())
}

#[derive(Debug)]
struct Pod {
    name: String,
    node: String,
    address: String,
}

fn pods(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<Pod>> {
    let list = cluster.json(&["-n", namespace, "get", "pods", "-l", selector])?;
    let items = list["items"].as_array().context("a list of pods")?;
    let text = |value: &Value| {
        value
            .as_str()
            .map(str::to_owned)
            .context("a field of a pod")
    };
    items
        .iter()
        .map(|pod| {
            Ok(Pod {
                name: text(&pod["metadata"]["name"])?,
                node: text(&pod["spec"]["nodeName"])?,
                address: text(&pod["status"]["podIP"])?,
            })
        })
        .collect()
}

fn get(cluster: &Cluster, address: &str) -> Result<String> {
    let url = format!("http://{address}:8080/");
    cluster.run(
        "curl",
        &[
            "--silent",
            "--show-error",
            "--fail",
            "--max-time",
            "5",
            &url,
        ],
    )
}
