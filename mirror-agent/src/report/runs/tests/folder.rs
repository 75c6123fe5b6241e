//! The folder of runs: their order, and by what a run is found.

use std::fs;
use std::path::Path;

use super::super::head::RunHead;
use super::*;
use crate::report::directory::PrivateDir;

/// A run of that directory and name that began so many seconds after the epoch.
fn begun_at(folder: &Path, directory: &str, name: &str, started_at: u64) {
    let head = RunHead {
        started_at,
        name: name.to_owned(),
        ..RunHead::new(&recorder(name))
    };
    let folder = PrivateDir::open(folder).unwrap();
    drop(head.write(&folder.make(directory).unwrap()).unwrap());
}

#[test]
fn runs_are_in_the_order_of_their_beginnings_whatever_their_directories_are_called() {
    let scratch = Scratch::new();
    let runs = RunsFolder::new(scratch.join("runs"));
    let begun_at = |directory, name, at| begun_at(runs.path(), directory, name, at);
    begun_at("19700101T000120Z-shop.10", "shop", 120);
    begun_at("19700101T000120Z-shop.2", "shop", 120);
    begun_at("19700101T000120Z-shop", "shop", 120);
    begun_at("before the release", "shop", 60);
    begun_at("1-last", "v1.2", 180);
    assert_eq!(
        runs.runs().unwrap(),
        [
            "before the release",
            "19700101T000120Z-shop",
            "19700101T000120Z-shop.2",
            "19700101T000120Z-shop.10",
            "1-last",
        ]
    );
    assert_eq!(runs.older_than(4).unwrap(), ["before the release"]);
}

#[test]
fn a_run_is_meant_by_its_name_its_beginning_or_what_it_is_called() {
    let scratch = Scratch::new();
    let runs = RunsFolder::new(scratch.join("runs"));
    begun_at(runs.path(), "20261126T101010Z-shop", "shop", 60);
    begun_at(runs.path(), "20261127T051821Z-shop", "shop", 120);
    begun_at(runs.path(), "20261127T051821Z-shop.2", "shop", 120);
    begun_at(runs.path(), "20261127T061821Z-v1.2", "v1.2", 180);
    let find = |wanted: &str| runs.find(Some(wanted)).map(|run| run.name());
    let check = |wanted: &str, expect: &str| assert_eq!(find(wanted).unwrap(), expect, "{wanted}");
    check("shop", "20261127T051821Z-shop.2");
    check("20261126", "20261126T101010Z-shop");
    check("20261126T101010Z-shop", "20261126T101010Z-shop");
    check("v1.2", "20261127T061821Z-v1.2");
    for wanted in ["sho", "v1"] {
        let error = find(wanted).unwrap_err().to_string();
        assert!(error.contains("there is no run"), "{error}");
    }
    let error = find("20261127").unwrap_err().to_string();
    assert!(error.contains("give more of the name"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_by_its_name() {
    let scratch = Scratch::new();
    let file = scratch.join("file");
    fs::write(&file, "").unwrap();
    for path in ["/proc/x".into(), file] {
        let error = NewRun::make(&options(&path), &recorder("shop"))
            .err()
            .unwrap();
        let error = format!("{error:#}");
        let begins = format!("--runs {}: ", path.display());
        assert!(error.starts_with(&begins), "{error}");
    }
}

#[test]
fn runs_are_listed_and_removed_but_for_those_that_go_on() {
    let scratch = Scratch::new();
    let path = scratch.join("runs");
    let folder = RunsFolder::named(Some(&path)).unwrap();
    assert_eq!(folder.list().unwrap(), []);
    let recorder = recorder("b-goes-on");
    let keeper = begun(&path, &recorder);
    let done = finished(&path, "a-done");
    let (old, broken) = (
        path.join("20200101T000000Z-old"),
        path.join("20200102T000000Z-bad"),
    );
    for (name, files) in [(&old, &["run.json", JOURNAL][..]), (&broken, &["run.json"])] {
        fs::create_dir(name).unwrap();
        for file in files {
            fs::copy(done.join(file), name.join(file)).unwrap();
        }
    }
    fs::create_dir(path.join("lost+found")).unwrap();

    let list = folder.list().unwrap();
    let mut shown: Vec<_> = list
        .iter()
        .map(|run| {
            let (_, name) = run.run.split_once('-').unwrap();
            let known = run.known.as_ref();
            (
                name,
                known.map(|known| (known.seen, known.unfinished.is_none())),
            )
        })
        .collect();
    // Names say the second: these two begin in the same one, or not.
    shown[..2].sort_by(|one, other| other.cmp(one));
    let expect = [
        ("b-goes-on", Some((0, false))),
        ("a-done", Some((1, true))),
        ("bad", None),
        ("old", Some((1, true))),
    ];
    assert_eq!(shown, expect);
    let text = list_text(&list, None);
    for part in [
        "HOLD",
        "goes on; this is how it stood at",
        "reading",
        "host-a",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let json = serde_json::to_string(&list).unwrap();
    let read: Vec<RunSummary> = serde_json::from_str(&json).unwrap();
    assert_eq!(read, list);

    let going = &folder.chosen(&["b-goes-on".into()]).unwrap()[0];
    let error = folder.remove_run(going).unwrap_err().to_string();
    assert!(error.contains("goes on: end it first"), "{error}");
    assert!(folder.chosen(&["nothing".into()]).is_err());
    let older = folder.older_than(2).unwrap();
    assert_eq!(older, ["20200101T000000Z-old", "20200102T000000Z-bad"]);
    for name in older {
        folder.remove_run(&name).unwrap();
    }
    keeper.finish().unwrap();
    folder.remove_run(going).unwrap();
    assert_eq!(
        folder.runs().unwrap(),
        [done.file_name().unwrap().to_str().unwrap()]
    );
    assert_eq!(folder.find(None).unwrap().path(), done);
}
