//! Without a store: the snapshot is there already.

use super::*;
use crate::{Encoded, Encoding, IdRules, Read, RedisStore, Settings};

const UNUSED: &str = "redis://127.0.0.1:1";

fn read(name: &str, key: &str, value: u32) -> Read {
    let encoded: Encoded = Encoding::Json.encode(&value).unwrap();
    Read {
        name: name.into(),
        key: key.into(),
        result: Ok(encoded),
        written: None,
        is_inside: false,
    }
}

/// A request of the mirror whose snapshot holds these reads.
fn served(reads: Vec<Read>, change: impl FnOnce(&mut Settings)) -> SnapshotSource {
    let mut settings = Settings::new(Profile::Mirror);
    change(&mut settings);
    let store = RedisStore::connect(UNUSED).unwrap();
    let snapshots = Snapshots::new(settings, IdRules::default(), store);
    let document = Document {
        stamp: Stamp::default(),
        encoding: Encoding::Json,
        reads,
        unfinished: Vec::new(),
        dropped: 0,
    };
    let naming = Naming::default();
    let source = SnapshotSource::new(snapshots, Duration::ZERO, naming, Stamp::default());
    let was_empty = source.0.snapshot.set(Ok(document));
    assert!(was_empty.is_ok());
    source
}

async fn load(source: &SnapshotSource, name: &str, key: u32) -> Result<u32, String> {
    let forbidden = async || Err("the database was read");
    let loaded = source.load(name, key, forbidden).await;
    loaded.map_err(|error: LoadError<&str>| error.to_string())
}

#[tokio::test]
async fn reads_of_one_name_and_key_are_answered_in_their_order() {
    let reads = vec![
        read("price", "1", 10),
        read("price", "2", 20),
        read("price", "1", 11),
        read("stock", "1", 30),
    ];
    let source = served(reads, |_| {});
    assert_eq!(load(&source, "stock", 1).await, Ok(30));
    assert_eq!(load(&source, "price", 1).await, Ok(10));
    assert_eq!(load(&source, "price", 2).await, Ok(20));
    assert_eq!(load(&source, "price", 1).await, Ok(11));
    assert_ne!(source.state(), SnapshotState::Incomplete);
    let more = load(&source, "price", 1).await.unwrap_err();
    assert!(more.contains("did not read `price` of `1`"), "{more}");
    assert_eq!(source.state(), SnapshotState::Incomplete);
    assert_eq!(source.0.snapshots.counts().not_recorded, 1);
}

#[tokio::test]
async fn a_read_that_failed_in_production_fails_here_too() {
    let failed = Read {
        result: Err("no connection".into()),
        ..read("user", "3", 0)
    };
    let source = served(vec![failed], |settings| settings.on_miss = OnMiss::Database);
    // Not even with a database to fall back on is it read.
    let error = load(&source, "user", 3).await.unwrap_err();
    assert_eq!(error, "in production this read failed: no connection");
    let again = load(&source, "user", 3).await.unwrap_err();
    assert_eq!(again, "the database was read");
}

#[tokio::test]
async fn a_write_is_never_done_and_may_be_refused() {
    let reads = vec![read("write:stock", "1", 7)];
    let write = async |source: &SnapshotSource| {
        let forbidden = async || Err("the database was written");
        let written = source.write("stock", 1, &(), forbidden).await;
        written.map_err(|error: WriteError<&str>| error.to_string())
    };
    let source = served(reads.clone(), |_| {});
    assert_eq!(write(&source).await, Ok::<u32, _>(7));
    assert_eq!(source.writes(), [("stock".to_string(), "1".to_string())]);
    let source = served(reads, |settings| settings.on_write = OnWrite::Refuse);
    let refused: Result<u32, _> = write(&source).await;
    assert_eq!(refused.unwrap_err(), "a mirror does not write `stock`");
    assert!(source.writes().is_empty());
}

#[tokio::test]
async fn a_fallback_stands_for_what_no_snapshot_answers_and_for_no_error() {
    let failed = Read {
        result: Err("no connection".into()),
        ..read("user", "1", 0)
    };
    let source = served(vec![failed], |_| {});
    let fallback = async |source: &SnapshotSource| {
        let database = async || Err("the database is gone");
        let loaded = source.load_or("user", 1, database, || 5).await;
        loaded.map_err(|error: LoadError<&str>| error.to_string())
    };
    let recorded = fallback(&source).await.unwrap_err();
    assert_eq!(recorded, "in production this read failed: no connection");
    assert_eq!(fallback(&source).await, Ok(5));
    let off = named(Snapshots::off(Profile::Mirror), Naming::default());
    assert_eq!(fallback(&off).await.unwrap_err(), "the database is gone");
}

/// A request that production received a while after the epoch.
fn named(snapshots: Snapshots, naming: Naming) -> SnapshotSource {
    let at = Duration::from_micros(1_234_567);
    SnapshotSource::new(snapshots, at, naming, Stamp::default())
}

#[test]
fn a_request_is_named_by_its_id_and_told_where_production_tells_it() {
    let told_in = |header: Option<&str>| {
        let naming = Naming {
            id: RequestId::new("one"),
            told_in: header.map(Into::into),
            ..Naming::default()
        };
        named(Snapshots::off(Profile::Production), naming)
    };
    let two = RequestId::new("two").unwrap();
    let source = told_in(Some("x-id"));
    assert!(format!("{source:?}").contains("one"), "{source:?}");
    source.set_id(two.clone());
    assert_eq!(source.id(), Some(two.clone()));
    assert_eq!(source.told(), Some(("x-id".into(), two)));
    assert_eq!(told_in(None).told(), None);
}

#[tokio::test]
async fn time_and_random_ids_are_the_requests_own() {
    let source = named(Snapshots::off(Profile::Production), Naming::default());
    assert_eq!(source.now(), UNIX_EPOCH + Duration::from_millis(1234));
    let ids = [
        source.random_id().await.unwrap(),
        source.random_id().await.unwrap(),
    ];
    assert_ne!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_value_of_another_type_is_unreadable() {
    let source = served(vec![read("user", "1", 5)], |_| {});
    let forbidden = async || Err::<String, _>("the database was read");
    assert!(source.load("user", 1, forbidden).await.is_err());
    assert_eq!(source.state(), SnapshotState::Unreadable);
}
