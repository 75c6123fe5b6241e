//! A snapshot that came with its request, from a recording: it is put where the mirror reads, in the namespace of this run.

use std::time::Duration;

use bytes::Bytes;
use mirror_core::attribution::Claim;
use mirror_core::policy::Envelope;
use mirror_snapshot::{DEFAULT_TTL, EffectsDocument, Filed};
use tokio::time::Instant;

use super::snapshot::SnapshotGate;
use super::{FoundSnapshot, SnapshotOutcome};

impl SnapshotGate {
    /// Makes production's document readable to the mirror, for as long as a snapshot lives.
    pub(super) async fn brought(
        &self,
        envelope: &Envelope,
        document: &Bytes,
        claims: Vec<Claim>,
    ) -> SnapshotOutcome {
        let identity = envelope.identity();
        let Some(id) = identity.candidates.ids.first() else {
            return SnapshotOutcome::NoId;
        };
        if claims.iter().any(Claim::is_doubtful) {
            return SnapshotOutcome::Collided;
        }
        let (at, position, effects) = match Filed::read(document) {
            Filed::Collided => return SnapshotOutcome::Collided,
            Filed::Bare => (None, None, None),
            Filed::Stamped(stamp) if !identity.owner.agrees(&stamp) => {
                return SnapshotOutcome::Missing {
                    waited: Duration::ZERO,
                    refused: true,
                    why: Some("the snapshot in the recording is another request's".into()),
                };
            }
            Filed::Stamped(stamp) => {
                let effects = EffectsDocument::of_snapshot(document);
                (Some(stamp.at), stamp.position, effects)
            }
        };
        let store = self.mirror.as_ref().unwrap_or(self.waiter.store());
        let put = async {
            let copies = store.with_keys(store.keys().within(&self.namespace)?);
            copies.set(id, document, DEFAULT_TTL).await?;
            anyhow::Ok(())
        };
        if let Err(error) = put.await {
            return SnapshotOutcome::Unavailable {
                error: format!("the mirror's store: {error:#}"),
            };
        }
        SnapshotOutcome::Found(FoundSnapshot {
            id: id.clone(),
            waited: Duration::ZERO,
            at_once: true,
            at,
            position: position.and_then(|text| text.parse().ok()),
            ttl: Some(DEFAULT_TTL),
            effects,
            namespace: Some(self.namespace.clone()),
            settles_at: Instant::now(),
            expires: Some(Instant::now() + DEFAULT_TTL),
            claims,
            doubt: None,
        })
    }
}
