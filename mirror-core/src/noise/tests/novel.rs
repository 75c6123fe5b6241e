//! Classes of values that production never showed.

use super::*;

/// Of a pair at a place that varies, the kinds of what counts and of what counts against production, and whether the candidate's class is new.
fn told(noise: &mut Noise, ours: &str, theirs: &str) -> (Vec<Kind>, Vec<Kind>, bool) {
    let explained = judged(noise, times(900), &pair("/text", Some(ours), Some(theirs)));
    let kinds = |list: &[Observation]| list.iter().map(|one| one.kind).collect();
    let is_new = explained.novel == [place("/text")];
    (kinds(&explained.left), kinds(&explained.against), is_new)
}

/// Production and another instance of its version have these values, in turn.
fn learnt(source: Source, values: [&str; 2]) -> Noise {
    let mut noise = Noise::default();
    for index in 0..12 {
        let (a, b) = (values[index % 2], values[(index + 1) % 2]);
        noise.learn(
            ROUTE,
            source,
            times(index as u64),
            &pair("/text", Some(a), Some(b)),
        );
    }
    noise
}

#[test]
fn a_text_with_other_words_is_new_and_another_number_in_it_is_not() {
    let known = || learnt(Source::Control, [r#""order 17""#, r#""order 18""#]);
    let nothing = (vec![], vec![], false);
    assert_eq!(told(&mut known(), r#""order 17""#, r#""order 4""#), nothing);
    let ours = (vec![Kind::Distribution], vec![], true);
    assert_eq!(told(&mut known(), r#""order 17""#, r#""odrer 4""#), ours);
    let theirs = (vec![Kind::Distribution], vec![Kind::Distribution], false);
    let mut noise = known();
    assert_eq!(told(&mut noise, r#""odrer 4""#, r#""order 17""#), theirs);
    // Production has shown it by now.
    assert_eq!(told(&mut noise, r#""order 17""#, r#""odrer 4""#), nothing);
}

#[test]
fn a_number_is_new_beside_a_control_only() {
    let values = ["3", "4"];
    let is_new = |source| told(&mut learnt(source, values), "3", "5").2;
    assert!(is_new(Source::Control));
    assert!(!is_new(Source::Production) && !is_new(Source::Repeat));
}

#[test]
fn a_number_that_varies_by_few_steps_is_ranked_where_two_instances_are_often_equal() {
    let ranked = |equal: u64| {
        let (mut noise, mut told) = (Noise::default(), 0);
        let mut random = Random(3);
        for index in 0..200 {
            let base = 1_000 + 40 * index;
            let (a, b) = match random.below(8) < equal {
                true => (base, base),
                false => (base + random.below(2), base + 3 - random.below(2)),
            };
            let of = |a: u64, b: u64| match a == b {
                true => comparison(vec![]),
                false => pair("/n", Some(&a.to_string()), Some(&b.to_string())),
            };
            let (a, b) = if random.chance(50) { (a, b) } else { (b, a) };
            noise.learn(ROUTE, Source::Control, times(index), &of(a, b));
            let left = judged(&mut noise, times(index), &of(a, a + 5)).left;
            told += left.iter().filter(|one| one.mirror == HIGHER).count();
        }
        told
    };
    assert!(ranked(4) > 100);
    assert_eq!(ranked(0), 0);
}
