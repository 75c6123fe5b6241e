//! The cores are pure: they turn values into values, and take bytes and time as arguments. What a crate cannot name it cannot use, so
//! this looks at what the cores depend on. The clocks, files and sockets of the standard library are left to clippy, which
//! knows what a name stands for: `clippy.toml` in the cores' folders names them.

use anyhow::{Context, Result, ensure};
use mirror_tests::workspace;
use serde_json::Value;

use super::Found;
use crate::cargo::cargo;

const CORES: [&str; 2] = ["mirror-contract", "mirror-core"];

/// Runtimes, sockets, files, command lines: not in the cores, whoever would bring them.
const IMPURE: [&str; 16] = [
    "anyhow",
    "async-std",
    "aya",
    "clap",
    "fastrand",
    "getrandom",
    "hyper",
    "mio",
    "nix",
    "polling",
    "rand",
    "redis",
    "rustix",
    "smol",
    "socket2",
    "tokio",
];

/// What clippy must refuse in each of them.
const REFUSED: [&str; 8] = [
    "std::time::SystemTime::now",
    "std::time::Instant::now",
    "std::fs::File",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::thread::spawn",
    "std::env::var",
];

pub(super) fn dependencies() -> Result<Found> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("running cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = serde_json::from_slice(&output.stdout).context("reading cargo's metadata")?;
    let found: Vec<String> = CORES
        .iter()
        .flat_map(|core| impure(&metadata, core))
        .collect();
    ensure!(
        found.is_empty(),
        "the cores know no runtime, socket or file:\n{}",
        found.join("\n")
    );
    Ok(Found::Clean)
}

/// The ways from a core to what it must not depend on.
fn impure(metadata: &Value, core: &str) -> Vec<String> {
    let nodes = metadata["resolve"]["nodes"].as_array();
    let nodes: Vec<&Value> = nodes.into_iter().flatten().collect();
    let mut found = Vec::new();
    let mut ways: Vec<(&Value, String)> = nodes
        .iter()
        .filter(|node| name_of(metadata, node) == Some(core))
        .map(|node| (*node, core.to_owned()))
        .collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some((node, way)) = ways.pop() {
        for id in normal_dependencies(node) {
            let next = nodes.iter().find(|node| node["id"].as_str() == Some(id));
            let Some(next) = next.filter(|_| seen.insert(id)) else {
                continue;
            };
            let name = name_of(metadata, next).unwrap_or_default();
            let longer = format!("{way} → {name}");
            if IMPURE.contains(&name) {
                found.push(longer);
            } else {
                ways.push((next, longer));
            }
        }
    }
    found
}

fn name_of<'a>(metadata: &'a Value, node: &Value) -> Option<&'a str> {
    let packages = metadata["packages"].as_array()?;
    let package = packages.iter().find(|package| package["id"] == node["id"]);
    package?["name"].as_str()
}

/// Without those of tests and of build scripts.
fn normal_dependencies(node: &Value) -> impl Iterator<Item = &str> {
    let all = node["deps"].as_array().into_iter().flatten();
    let normal = all.filter(|dependency| {
        let mut kinds = dependency["dep_kinds"].as_array().into_iter().flatten();
        kinds.any(|kind| kind["kind"].is_null())
    });
    normal.filter_map(|dependency| dependency["pkg"].as_str())
}

/// A core without these lines would be checked by nobody.
pub(super) fn lints() -> Result<Found> {
    for core in CORES {
        let file = workspace::root().join(core).join("clippy.toml");
        let text = std::fs::read_to_string(&file)
            .with_context(|| format!("reading {}", file.display()))?;
        for name in REFUSED {
            ensure!(
                text.contains(name),
                "{} does not refuse {name}",
                file.display()
            );
        }
    }
    Ok(Found::Clean)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A core that depends on `a`, which depends on tokio by a dependency of this kind.
    fn metadata(kind: Value) -> Value {
        let node = |id: &str, deps: Value| json!({ "id": id, "deps": deps });
        let to = |id: &str, kind: &Value| json!([{ "pkg": id, "dep_kinds": [{ "kind": kind }] }]);
        let package = |id: &str| json!({ "id": id, "name": id });
        json!({
            "packages": [package("mirror-core"), package("a"), package("tokio")],
            "resolve": { "nodes": [
                node("mirror-core", to("a", &Value::Null)),
                node("a", to("tokio", &kind)),
                node("tokio", json!([])),
            ] },
        })
    }

    #[test]
    fn a_runtime_is_found_behind_another_crate() {
        let found = impure(&metadata(Value::Null), "mirror-core");
        assert_eq!(found, ["mirror-core → a → tokio"]);
    }

    #[test]
    fn tests_and_build_scripts_may_use_what_they_like() {
        assert!(impure(&metadata(json!("dev")), "mirror-core").is_empty());
        assert!(impure(&metadata(json!("build")), "mirror-core").is_empty());
    }
}
