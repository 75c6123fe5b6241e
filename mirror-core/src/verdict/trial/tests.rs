use super::super::spread::Spread;
use super::*;
use crate::compare::Place;

fn observation(kind: Kind, production: &str, mirror: &str) -> Observation {
    Observation {
        place: Place::Json("/a".into()),
        kind,
        count: 1,
        production: production.into(),
        mirror: mirror.into(),
    }
}

fn differences(left: &[Observation]) -> Differences<'_> {
    Differences {
        left,
        ..Differences::default()
    }
}

fn trial<'a>(candidate: Differences<'a>) -> Trial<'a> {
    Trial {
        route: "GET /",
        at: Timestamp(1),
        request: None,
        production_status: 200,
        candidate_status: 200,
        candidate,
        control: None,
        repeat: None,
        durations: AnswerDurations::default(),
        cache: CacheHits::default(),
    }
}

/// The tosses of the group of `kind`, as (n, k).
fn tosses(trial: &Trial<'_>, kind: Kind) -> (u64, u64) {
    let mut groups = Groups::default();
    trial.toss(&mut groups, &mut Recent::default());
    let group = groups.find(&(Place::Json("/a".into()), kind));
    let coin = group.map(|group| group.coin()).unwrap_or_default();
    (coin.n, coin.k)
}

#[test]
fn exactly_one_of_candidate_and_control_that_differs_is_the_odd_one() {
    let one = [observation(Kind::Value, "old", "new")];
    let check = |candidate: Differences<'_>, control: Differences<'_>, expect: (u64, u64)| {
        let trial = Trial {
            control: Some(Control {
                status: 200,
                differences: control,
            }),
            ..trial(candidate)
        };
        assert_eq!(tosses(&trial, Kind::Value), expect, "{trial:?}");
    };
    let (none, some) = (differences(&[]), differences(&one));
    check(some, none, (1, 1));
    check(none, some, (1, 0));
    check(some, some, (0, 0));
    check(none, none, (0, 0));
    // What noise explains differs as well.
    let explained = Differences {
        varying: &one,
        ..none
    };
    check(explained, none, (1, 1));
    check(some, explained, (0, 0));
    // The control may differ there or not: it says nothing.
    let cut = Differences {
        is_cut: true,
        ..none
    };
    check(some, cut, (0, 0));
}

#[test]
fn a_repeat_that_is_like_exactly_one_of_two_answers_says_which_is_the_odd_one() {
    let one = [observation(Kind::Value, "old", "new")];
    let check = |to_candidate: &[Observation], to_production: &[Observation], expect| {
        let trial = Trial {
            repeat: Some(Repeat {
                to_candidate: differences(to_candidate),
                to_production: differences(to_production),
            }),
            ..trial(differences(&one))
        };
        assert_eq!(tosses(&trial, Kind::Value), expect, "{trial:?}");
    };
    check(&[], &one, (1, 1));
    check(&one, &[], (1, 0));
    check(&one, &one, (0, 0));
    check(&[], &[], (0, 0));
}

#[test]
fn what_is_there_now_and_then_has_one_coin_for_both_ways() {
    let added = [observation(Kind::Added, "(absent)", "x")];
    let missing = [observation(Kind::Missing, "x", "(absent)")];
    let trial = Trial {
        repeat: Some(Repeat {
            to_candidate: differences(&missing),
            to_production: differences(&[]),
        }),
        ..trial(differences(&added))
    };
    assert_eq!(tosses(&trial, Kind::Added), (1, 0));
    assert_eq!(tosses(&trial, Kind::Missing), (1, 0));
}

#[test]
fn what_varies_in_many_answers_tosses_no_coin() {
    let one: &'static [Observation] = vec![observation(Kind::Value, "old", "new")].leak();
    let restless: &'static [GroupKey] = vec![key(&one[0])].leak();
    let explained = |restless: &'static [GroupKey]| Differences {
        varying: one,
        restless,
        ..Differences::default()
    };
    let check = |restless: &'static [GroupKey], expect| {
        let with_control = Trial {
            control: Some(Control {
                status: 200,
                differences: Differences::default(),
            }),
            ..trial(explained(restless))
        };
        assert_eq!(tosses(&with_control, Kind::Value), expect);
        let with_repeat = Trial {
            repeat: Some(Repeat {
                to_candidate: Differences::default(),
                to_production: explained(restless),
            }),
            ..trial(explained(restless))
        };
        assert_eq!(tosses(&with_repeat, Kind::Value), expect);
    };
    check(&[], (1, 1));
    check(restless, (0, 0));
}

/// What the shares come to when production's class is A: of candidate and control, of production and control.
fn spreads(candidate: &[Observation], control: &[Observation]) -> [Spread; 2] {
    let trial = Trial {
        control: Some(Control {
            status: 200,
            differences: differences(control),
        }),
        ..trial(differences(candidate))
    };
    let mut groups = Groups::default();
    trial.toss(&mut groups, &mut Recent::default());
    let key = (Place::Json("/a".into()), Kind::Distribution);
    let group = groups.find(&key);
    let spreads = group.map(|group| [group.spread.clone(), group.natural.clone()]);
    spreads.unwrap_or_default()
}

#[test]
fn classes_of_values_are_compared_with_the_controls() {
    let class = |name| observation(Kind::Distribution, "A", name);
    let check = |candidate: &[Observation], control: &[Observation], expect: [&str; 2]| {
        let expected = expect.map(|pair| {
            let mut spread = Spread::default();
            if let Some((ours, theirs)) = pair.split_once(' ') {
                spread.add(ours, theirs);
            }
            spread
        });
        assert_eq!(
            spreads(candidate, control),
            expected,
            "{candidate:?} {control:?}"
        );
    };
    check(&[class("B")], &[class("C")], ["B C", "A C"]);
    check(&[class("B")], &[], ["B A", ""]);
    check(&[], &[class("C")], ["A C", "A C"]);
    check(&[class("B")], &[class("B")], ["", "A B"]);
    // Of several elements of a list, none is the other's.
    let gone = observation(Kind::Distribution, "A", "(absent)");
    check(&[class("B"), gone.clone()], &[class("C")], ["", "A C"]);
    check(&[class("B")], &[class("C"), gone], ["", ""]);
    let twice = Observation {
        count: 2,
        ..class("B")
    };
    check(&[twice], &[class("C")], ["", "A C"]);
    // A value by itself has no share.
    check(&[observation(Kind::Value, "A", "B")], &[], ["", ""]);
}

#[test]
fn what_goes_beyond_a_place_that_varies_is_tossed_between_candidate_and_production() {
    let range = |kind| [observation(kind, "1", "9")];
    let (range, clock) = (range(Kind::Range), range(Kind::Clock));
    let both = |left, against| Differences {
        left,
        against,
        ..Differences::default()
    };
    assert_eq!(tosses(&trial(both(&range, &[])), Kind::Range), (1, 1));
    assert_eq!(tosses(&trial(both(&[], &range)), Kind::Range), (1, 0));
    assert_eq!(tosses(&trial(both(&range, &range)), Kind::Range), (0, 0));
    assert_eq!(tosses(&trial(both(&range, &clock)), Kind::Range), (1, 1));
    let mut groups = Groups::default();
    trial(both(&range, &[])).toss(&mut groups, &mut Recent::default());
    let group = groups.find(&key(&range[0])).unwrap();
    assert!(group.varies(), "one alone says nothing");
}

#[test]
fn what_was_found_before_noise_knew_of_it_is_noise_as_well() {
    let one = [observation(Kind::Value, "old", "new")];
    let mut groups = Groups::default();
    trial(differences(&one)).toss(&mut groups, &mut Recent::default());
    assert!(!groups.find(&key(&one[0])).unwrap().varies());
    let explained = Differences {
        varying: &one,
        ..Differences::default()
    };
    trial(explained).toss(&mut groups, &mut Recent::default());
    assert!(groups.find(&key(&one[0])).unwrap().varies());
}

#[test]
fn one_toss_for_each_exchange() {
    let one = [observation(Kind::Value, "old", "new")];
    let trial = Trial {
        control: Some(Control {
            status: 200,
            differences: differences(&[]),
        }),
        repeat: Some(Repeat {
            to_candidate: differences(&[]),
            to_production: differences(&one),
        }),
        ..trial(differences(&one))
    };
    assert_eq!(tosses(&trial, Kind::Value), (1, 1));
}

#[test]
fn a_class_that_production_never_showed_is_a_toss() {
    let class = [observation(Kind::Distribution, "A", "C")];
    let place = [Place::Json("/a".into())];
    let given = |left, against, novel| Differences {
        left,
        against,
        novel,
        ..Differences::default()
    };
    let (none, nowhere): (&[Observation], &[Place]) = (&[], &[]);
    let ours = given(&class, none, &place);
    let theirs = given(&class, &class, nowhere);
    let known = given(&class, none, nowhere);
    let alone = |candidate| tosses(&trial(candidate), Kind::Distribution);
    assert_eq!(alone(ours), (1, 1));
    assert_eq!(alone(theirs), (1, 0));
    assert_eq!(alone(known), (0, 0));
    let beside = |candidate, differences| {
        let control = Some(Control {
            status: 200,
            differences,
        });
        let trial = Trial {
            control,
            ..trial(candidate)
        };
        tosses(&trial, Kind::Distribution)
    };
    // The control has a class of its own as well, or one that is known.
    assert_eq!(beside(ours, known), (1, 1));
    assert_eq!(beside(known, ours), (1, 0));
    assert_eq!(beside(ours, ours), (0, 0));
    assert_eq!(beside(theirs, differences(&[])), (0, 0));
}
