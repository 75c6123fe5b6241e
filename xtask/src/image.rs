//! `cargo xtask image`: the agent as a static binary in an image of one layer, as an OCI archive.
//! No container tool is needed, and the same binary gives the same bytes.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::cargo::build_static;
use crate::install;
use crate::say::say;

const IMAGE: &str = "localhost/mirror-agent:1";
const PROGRAM: &str = "usr/bin/mirror-agent";

pub(crate) fn run(out: &Path) -> Result<()> {
    install::for_kafka()?;
    let binary = build_static()?.join("mirror-agent");
    let bytes = std::fs::read(&binary).with_context(|| format!("reading {}", binary.display()))?;
    std::fs::write(out, archive(&bytes)?).with_context(|| format!("writing {}", out.display()))?;
    say!("{}: {IMAGE}", out.display());
    Ok(())
}

/// An OCI layout in a tar file: index → manifest → configuration and one layer.
fn archive(binary: &[u8]) -> Result<Vec<u8>> {
    let layer = tar_of(&[(PROGRAM.to_owned(), binary, 0o755)])?;
    let configuration = to_bytes(&json!({
        "architecture": architecture(),
        "os": "linux",
        "config": { "Entrypoint": [format!("/{PROGRAM}")], "Env": ["PATH=/usr/bin"], "WorkingDir": "/" },
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    }));
    let manifest = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &configuration),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    }));
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({
        "io.containerd.image.name": IMAGE,
        "org.opencontainers.image.ref.name": IMAGE.rsplit(':').next(),
    });
    let index = to_bytes(&json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [entry],
    }));
    let blob = |bytes: &[u8]| format!("blobs/{}", digest(bytes).replace(':', "/"));
    tar_of(&[
        (
            "oci-layout".to_owned(),
            br#"{"imageLayoutVersion":"1.0.0"}"#,
            0o644,
        ),
        ("index.json".to_owned(), &index, 0o644),
        (blob(&manifest), &manifest, 0o644),
        (blob(&configuration), &configuration, 0o644),
        (blob(&layer), &layer, 0o644),
    ])
}

/// Files with their modes, and times of zero so that equal contents are equal archives.
fn tar_of(files: &[(String, &[u8], u32)]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes, mode) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(*mode);
        header.set_mtime(0);
        builder
            .append_data(&mut header, path, *bytes)
            .with_context(|| format!("packing {path}"))?;
    }
    builder.into_inner().context("packing the image")
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

fn to_bytes(json: &Value) -> Vec<u8> {
    json.to_string().into_bytes()
}

/// The architecture in the registry's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_binary_gives_the_same_image() {
        assert_eq!(archive(b"program").unwrap(), archive(b"program").unwrap());
        assert_ne!(archive(b"program").unwrap(), archive(b"other").unwrap());
    }

    #[test]
    fn a_digest_is_the_known_one() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest(b""), empty);
    }
}
