//! Changes that survive, and why they may.

use super::Mutant;

struct Explained {
    file: &'static str,
    /// The change without its place.
    change: &'static str,
    /// A part of the line that is changed: there may be several such changes in a function.
    line: &'static str,
    reason: &'static str,
}

const EXPLAINED: [Explained; 2] = [
    Explained {
        file: "mirror-snapshot/src/store/wait.rs",
        change: "replace Shared::gather with ()",
        line: "if self.hears.load(Relaxed)",
        reason: "whether notifications that come within some milliseconds share one look is a matter of time only",
    },
    Explained {
        file: "mirror-core/src/attribution/offset.rs",
        change: "replace > with >= in densest",
        line: "count > most",
        reason: "of two places where equally many ranges lie on each other either may be taken",
    },
];

pub(super) fn reason(mutant: &Mutant) -> Option<&'static str> {
    let removed = || mutant.diff.lines().filter(|line| line.starts_with('-'));
    let fits = |one: &&Explained| {
        mutant.file == one.file
            && mutant.name.ends_with(one.change)
            && removed().any(|line| line.contains(one.line))
    };
    EXPLAINED.iter().find(fits).map(|one| one.reason)
}
