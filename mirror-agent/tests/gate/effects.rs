//! Production's effects come with the snapshot, the mirror's are looked for where the mirror writes.

use mirror_agent::gate::EffectsLook;
use mirror_core::verdict::Side;
use mirror_snapshot::{Effect, EffectsDocument, Encoding, Keys, SendId};

use super::*;

#[needs(redis)]
fn effects_are_read_from_the_snapshot_and_from_the_mirrors_store() -> Result<()> {
    with_redis(async |_, store| {
        // The mirror's own store: the same server, other keys.
        let mirror = store.with_keys(Keys::new("mirror:"));
        let options = GateOptions::default();
        let gate = Gate::new(store.clone(), Some(mirror.clone()), RUN, &options, 1);
        let asked = Asked::default();
        let mut filed: serde_json::Value = serde_json::from_slice(&document(&asked.stamp()))?;
        filed["reads"] = serde_json::json!([
            { "name": "price", "key": "7", "value": 1 },
            { "name": "write:book", "key": "7", "value": null, "written": { "digest": "0", "value": 5 } },
        ]);
        let filed = filed.to_string().into_bytes();
        store.set(&id("one"), &filed, TTL).await?;
        let found = found(pass(&gate, &asked.envelope()?).await)?;
        let production = found
            .effects
            .context("a stamped snapshot says what was done")?;
        let names = |document: &EffectsDocument| -> Vec<String> {
            let name = |effect: &Effect| match effect {
                Effect::Read { name, .. } => format!("read {name}"),
                Effect::Write { name, .. } => format!("write {name}"),
            };
            document.effects().iter().map(name).collect()
        };
        assert_eq!(names(&production), ["read price", "write book"]);

        let send = |text: &str| SendId::new(text).context("a send");
        let bytes = production.to_bytes(Encoding::Json)?;
        mirror
            .set_effects(&send("1-c")?, &id("one"), &bytes, TTL)
            .await?;
        mirror
            .set_effects(&send("2-c")?, &id("one"), b"{}", TTL)
            .await?;
        mirror
            .set_effects(&send("4-c")?, &id("one"), &vec![b' '; 2 << 20], TTL)
            .await?;
        // Production's store is not the mirror's.
        store
            .set_effects(&send("3-c")?, &id("one"), &bytes, TTL)
            .await?;
        let look = async |text: &str| {
            anyhow::Ok(
                gate.effects(Side::Candidate, &send(text)?, &id("one"))
                    .await,
            )
        };
        let EffectsLook::Found(theirs) = look("1-c").await? else {
            bail!("it is there");
        };
        assert_eq!(theirs, production);
        assert!(matches!(look("2-c").await?, EffectsLook::Failed(_)));
        assert!(matches!(look("3-c").await?, EffectsLook::Missing));
        let EffectsLook::Failed(reason) = look("4-c").await? else {
            bail!("it is too large");
        };
        assert!(reason.contains("2097152 bytes"), "{reason}");
        Ok(())
    })
}

#[needs(redis)]
fn a_right_that_is_missing_for_effects_is_named() -> Result<()> {
    with_redis(async |redis, _| {
        let store = user(redis, "reader", &["+mget"])?;
        let gate = gate(&store, &GateOptions::default());
        let send = SendId::new("1-c").context("a send")?;
        let EffectsLook::Failed(reason) = gate.effects(Side::Candidate, &send, &id("one")).await
        else {
            bail!("it may not look there");
        };
        assert!(reason.contains("+mget ~effects/*"), "{reason}");
        Ok(())
    })
}
