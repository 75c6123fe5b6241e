//! Which elements of two lists belong together, by hashes of what they are told apart by.
//!
//! Equal elements are found by the algorithm of Myers ("An O(ND) Difference Algorithm and Its Variations", 1986), within a
//! bound. Lists that differ more are matched by how often each element comes, and what stays in order is the longest
//! increasing subsequence. So the cost is bounded for any two lists.

use std::collections::BTreeMap;

/// Insertions and removals that the exact search looks for.
const MAX_EDITS: usize = 200;

/// Pairs of places in two lists.
pub(super) type Pairs = Vec<(usize, usize)>;

/// What was found of two lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Matched {
    /// Equal elements that are in the same order on both sides.
    pub(super) anchors: Pairs,
    /// Equal elements that stand elsewhere.
    pub(super) moved: Pairs,
}

/// Matches equal elements.
pub(super) fn matched(ours: &[u64], theirs: &[u64]) -> Matched {
    match edit_script(ours, theirs) {
        Some(anchors) => {
            let moved = moved(ours, theirs, &anchors);
            Matched { anchors, moved }
        }
        None => in_order(by_occurrence(
            ours.iter().copied().enumerate(),
            theirs.iter().copied().enumerate(),
        )),
    }
}

/// Matches elements by a key that each has once.
pub(super) fn matched_by_key(ours: &[u64], theirs: &[u64]) -> Matched {
    if ours == theirs {
        let anchors = (0..ours.len()).map(|at| (at, at)).collect();
        return Matched {
            anchors,
            moved: Vec::new(),
        };
    }
    in_order(by_occurrence(
        ours.iter().copied().enumerate(),
        theirs.iter().copied().enumerate(),
    ))
}

/// The shortest edit script as its equal elements; `None` when it is too long.
fn edit_script(ours: &[u64], theirs: &[u64]) -> Option<Pairs> {
    let (n, m) = (ours.len() as isize, theirs.len() as isize);
    if n.abs_diff(m) > MAX_EDITS {
        return None;
    }
    let most = MAX_EDITS.min(ours.len() + theirs.len()) as isize;
    let size = 2 * most as usize + 3;
    let at = |diagonal: isize| (diagonal + most + 1) as usize;
    let mut furthest = vec![0_isize; size];
    let mut trace: Vec<Vec<isize>> = Vec::new();
    for edits in 0..=most {
        trace.push(furthest[at(-edits - 1)..=at(edits + 1)].to_vec());
        for diagonal in (-edits..=edits).step_by(2) {
            let goes_down = diagonal == -edits
                || (diagonal != edits && furthest[at(diagonal - 1)] < furthest[at(diagonal + 1)]);
            let mut x = match goes_down {
                true => furthest[at(diagonal + 1)],
                false => furthest[at(diagonal - 1)] + 1,
            };
            while x < n && x - diagonal < m && ours[x as usize] == theirs[(x - diagonal) as usize] {
                x += 1;
            }
            furthest[at(diagonal)] = x;
            if x >= n && x - diagonal >= m {
                return Some(walk_back(&trace, n, m));
            }
        }
    }
    None
}

fn walk_back(trace: &[Vec<isize>], n: isize, m: isize) -> Pairs {
    let (mut x, mut y) = (n, m);
    let mut pairs = Vec::new();
    for (edits, furthest) in trace.iter().enumerate().rev() {
        let edits = edits as isize;
        let value = |diagonal: isize| furthest[(diagonal + edits + 1) as usize];
        let diagonal = x - y;
        let goes_down =
            diagonal == -edits || (diagonal != edits && value(diagonal - 1) < value(diagonal + 1));
        let before = if goes_down {
            diagonal + 1
        } else {
            diagonal - 1
        };
        let before_x = if edits == 0 { 0 } else { value(before) };
        let before_y = if edits == 0 { 0 } else { before_x - before };
        while x > before_x && y > before_y {
            (x, y) = (x - 1, y - 1);
            pairs.push((x as usize, y as usize));
        }
        (x, y) = (before_x, before_y);
    }
    pairs.reverse();
    pairs
}

/// Equal elements among those that are no anchors.
fn moved(ours: &[u64], theirs: &[u64], anchors: &Pairs) -> Pairs {
    let (mut is_ours, mut is_theirs) = (vec![false; ours.len()], vec![false; theirs.len()]);
    for (a, b) in anchors {
        (is_ours[*a], is_theirs[*b]) = (true, true);
    }
    let rest = |all: &[u64], is_anchor: &[bool]| {
        let rest = all.iter().copied().enumerate();
        rest.filter(|(at, _)| !is_anchor[*at]).collect::<Vec<_>>()
    };
    let (ours, theirs) = (rest(ours, &is_ours), rest(theirs, &is_theirs));
    by_occurrence(ours.into_iter(), theirs.into_iter())
}

/// The n-th element of a hash belongs to the n-th one on the other side. In the order of the first side.
fn by_occurrence(
    ours: impl Iterator<Item = (usize, u64)>,
    theirs: impl Iterator<Item = (usize, u64)>,
) -> Pairs {
    let sorted = |all: Vec<(usize, u64)>| {
        let mut all: Vec<(u64, usize)> = all.into_iter().map(|(at, hash)| (hash, at)).collect();
        all.sort_unstable();
        all
    };
    let (ours, theirs) = (sorted(ours.collect()), sorted(theirs.collect()));
    let (mut a, mut b) = (0, 0);
    let mut pairs = Vec::new();
    while let (Some(our), Some(their)) = (ours.get(a), theirs.get(b)) {
        match our.0.cmp(&their.0) {
            std::cmp::Ordering::Less => a += 1,
            std::cmp::Ordering::Greater => b += 1,
            std::cmp::Ordering::Equal => {
                pairs.push((our.1, their.1));
                (a, b) = (a + 1, b + 1);
            }
        }
    }
    pairs.sort_unstable();
    pairs
}

/// The longest part of the pairs that is in order on both sides, and the rest.
fn in_order(pairs: Pairs) -> Matched {
    // The end of the best sequence of each length, and what stands before each pair in its sequence.
    let mut ends: Vec<usize> = Vec::new();
    let mut before: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (at, (_, theirs)) in pairs.iter().enumerate() {
        let length = ends.partition_point(|end| pairs[*end].1 < *theirs);
        before.push(length.checked_sub(1).map(|last| ends[last]));
        match ends.get_mut(length) {
            Some(end) => *end = at,
            None => ends.push(at),
        }
    }
    let mut is_anchor = vec![false; pairs.len()];
    let mut next = ends.last().copied();
    while let Some(at) = next {
        is_anchor[at] = true;
        next = before[at];
    }
    let mut matched = Matched::default();
    for (pair, is_anchor) in pairs.into_iter().zip(is_anchor) {
        match is_anchor {
            true => matched.anchors.push(pair),
            false => matched.moved.push(pair),
        }
    }
    matched
}

/// What stands between two anchors, and belongs to nothing yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) ours: Vec<usize>,
    pub(super) theirs: Vec<usize>,
}

/// The gaps of two lists of these lengths.
pub(super) fn gaps(matched: &Matched, ours: usize, theirs: usize) -> Vec<Gap> {
    let (mut is_ours, mut is_theirs) = (vec![true; ours], vec![true; theirs]);
    for (a, b) in &matched.moved {
        (is_ours[*a], is_theirs[*b]) = (false, false);
    }
    let (mut a, mut b) = (0, 0);
    let mut gaps = Vec::new();
    for (next_a, next_b) in matched.anchors.iter().copied().chain([(ours, theirs)]) {
        let gap = Gap {
            ours: (a..next_a).filter(|at| is_ours[*at]).collect(),
            theirs: (b..next_b).filter(|at| is_theirs[*at]).collect(),
        };
        if gap != Gap::default() {
            gaps.push(gap);
        }
        (a, b) = (next_a + 1, next_b + 1);
    }
    gaps
}

/// What an element is made of: sorted hashes of its members.
pub(super) type Features = Vec<u64>;

/// How many features two elements share.
fn shared(ours: &Features, theirs: &Features) -> u32 {
    let (mut a, mut b, mut count) = (0, 0, 0);
    while let (Some(our), Some(their)) = (ours.get(a), theirs.get(b)) {
        count += u32::from(our == their);
        a += usize::from(our <= their);
        b += usize::from(their <= our);
    }
    count
}

/// Pairs of elements that share at least half of what they are made of: the pairs in order that share most.
pub(super) fn similar(ours: &[Features], theirs: &[Features]) -> Pairs {
    let width = theirs.len() + 1;
    let mut best = vec![0_u32; (ours.len() + 1) * width];
    let weight = |a: usize, b: usize| {
        let count = shared(&ours[a], &theirs[b]);
        let is_enough = 2 * count as usize >= ours[a].len().max(theirs[b].len());
        if is_enough { count } else { 0 }
    };
    for a in (0..ours.len()).rev() {
        for b in (0..theirs.len()).rev() {
            let skip = best[(a + 1) * width + b].max(best[a * width + b + 1]);
            let weight = weight(a, b);
            let both = if weight > 0 {
                weight + best[(a + 1) * width + b + 1]
            } else {
                0
            };
            best[a * width + b] = skip.max(both);
        }
    }
    let (mut a, mut b) = (0, 0);
    let mut pairs = Vec::new();
    while a < ours.len() && b < theirs.len() {
        let here = best[a * width + b];
        let weight = weight(a, b);
        if weight > 0 && here == weight + best[(a + 1) * width + b + 1] {
            pairs.push((a, b));
            (a, b) = (a + 1, b + 1);
        } else if here == best[(a + 1) * width + b] {
            a += 1;
        } else {
            b += 1;
        }
    }
    pairs
}

/// The same without regard to order: the most similar ones first.
pub(super) fn similar_in_any_order(ours: &[Features], theirs: &[Features]) -> Pairs {
    let mut by_weight: BTreeMap<std::cmp::Reverse<u32>, Pairs> = BTreeMap::new();
    for (a, our) in ours.iter().enumerate() {
        for (b, their) in theirs.iter().enumerate() {
            let count = shared(our, their);
            if count > 0 && 2 * count as usize >= our.len().max(their.len()) {
                by_weight
                    .entry(std::cmp::Reverse(count))
                    .or_default()
                    .push((a, b));
            }
        }
    }
    let (mut is_ours, mut is_theirs) = (vec![false; ours.len()], vec![false; theirs.len()]);
    let mut pairs = Vec::new();
    for (a, b) in by_weight.into_values().flatten() {
        if !is_ours[a] && !is_theirs[b] {
            (is_ours[a], is_theirs[b]) = (true, true);
            pairs.push((a, b));
        }
    }
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(text: &str) -> Vec<u64> {
        text.bytes().map(u64::from).collect()
    }

    fn check(ours: &str, theirs: &str, anchors: &[(usize, usize)], moved: &[(usize, usize)]) {
        let found = matched(&hashes(ours), &hashes(theirs));
        assert_eq!(
            (&found.anchors[..], &found.moved[..]),
            (anchors, moved),
            "{ours} {theirs}"
        );
    }

    #[test]
    fn an_insertion_shifts_nothing() {
        check("abc", "xabc", &[(0, 1), (1, 2), (2, 3)], &[]);
        check("abc", "ac", &[(0, 0), (2, 1)], &[]);
        check("aba", "ba", &[(1, 0), (2, 1)], &[]);
        check("", "ab", &[], &[]);
        check("ab", "", &[], &[]);
        check("", "", &[], &[]);
    }

    #[test]
    fn what_stands_elsewhere_is_moved() {
        check("abc", "bca", &[(1, 0), (2, 1)], &[(0, 2)]);
        check("ab", "cd", &[], &[]);
    }

    /// Equal elements in order, as many as there can be.
    fn longest(ours: &[u64], theirs: &[u64]) -> usize {
        let mut best = vec![vec![0; theirs.len() + 1]; ours.len() + 1];
        for a in (0..ours.len()).rev() {
            for b in (0..theirs.len()).rev() {
                best[a][b] = match ours[a] == theirs[b] {
                    true => best[a + 1][b + 1] + 1,
                    false => best[a + 1][b].max(best[a][b + 1]),
                };
            }
        }
        best[0][0]
    }

    #[test]
    fn anchors_are_a_longest_common_subsequence() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (seed >> 33) % below
        };
        for round in 0..2000 {
            let (most, letters) = (1 + random(40), 1 + random(8));
            let mut list = || {
                (0..random(most))
                    .map(|_| random(letters))
                    .collect::<Vec<u64>>()
            };
            let (ours, theirs) = (list(), list());
            let found = matched(&ours, &theirs);
            assert_eq!(
                found.anchors.len(),
                longest(&ours, &theirs),
                "{round} {ours:?} {theirs:?}"
            );
            assert!(
                found
                    .anchors
                    .windows(2)
                    .all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1)
            );
            let all: Vec<_> = found.anchors.iter().chain(&found.moved).collect();
            assert!(all.iter().all(|(a, b)| ours[*a] == theirs[*b]));
            // Nothing that is equal is left over, and nothing is taken twice.
            let left: usize = (0..letters)
                .map(|letter| {
                    let count = |list: &[u64]| list.iter().filter(|l| **l == letter).count();
                    count(&ours).min(count(&theirs))
                })
                .sum();
            assert_eq!(all.len(), left, "{round} {ours:?} {theirs:?}");
        }
    }

    #[test]
    fn lists_beyond_the_bound_are_matched_by_occurrence() {
        let ours: Vec<u64> = (0..100_000).collect();
        let theirs: Vec<u64> = (0..100_000).rev().collect();
        let found = matched(&ours, &theirs);
        assert_eq!((found.anchors.len(), found.moved.len()), (1, 99_999));
        let others: Vec<u64> = (100_000..200_000).collect();
        assert_eq!(matched(&ours, &others), Matched::default());
        // Every other one is gone.
        let fewer: Vec<u64> = (0..100_000).step_by(2).collect();
        let found = matched(&ours, &fewer);
        assert_eq!((found.anchors.len(), found.moved.len()), (50_000, 0));
    }

    #[test]
    fn gaps_hold_what_belongs_to_nothing() {
        let found = matched(&hashes("abcd"), &hashes("aXdYZ"));
        let gap = |ours: &[usize], theirs: &[usize]| Gap {
            ours: ours.into(),
            theirs: theirs.into(),
        };
        assert_eq!(gaps(&found, 4, 5), [gap(&[1, 2], &[1]), gap(&[], &[3, 4])]);
        let found = matched(&hashes("abc"), &hashes("bca"));
        assert_eq!(gaps(&found, 3, 3), []);
    }

    #[test]
    fn similar_elements_belong_together() {
        let features = |texts: &[&str]| texts.iter().map(|text| hashes(text)).collect::<Vec<_>>();
        let ours = features(&["abx", "cdx"]);
        let theirs = features(&["xyz", "aby", "cdy"]);
        assert_eq!(similar(&ours, &theirs), [(0, 1), (1, 2)]);
        assert_eq!(similar(&ours, &features(&["xyz"])), []);
        let turned = features(&["cdy", "aby"]);
        assert_eq!(similar(&ours, &turned).len(), 1);
        assert_eq!(similar_in_any_order(&ours, &turned), [(0, 1), (1, 0)]);
    }
}
