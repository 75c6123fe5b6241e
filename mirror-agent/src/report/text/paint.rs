//! Colours, for a terminal that shows them.

use std::borrow::Cow;

use mirror_core::verdict::Decision;

const END: &str = "\x1b[0m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";

/// Puts colours into a report whose text is safe to print already: the decision, and what the two sides answered.
pub fn painted(text: &str) -> String {
    let mut is_decided = false;
    let mut painted = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match decision(line).filter(|_| !is_decided) {
            Some(decision) => {
                is_decided = true;
                let (name, rest) = line.split_at(decision.name().len());
                painted += &format!("{}{name}{END}{rest}", colour(decision));
            }
            None => painted += &answer_painted(line),
        }
    }
    painted
}

/// The decision that a line begins with.
fn decision(line: &str) -> Option<Decision> {
    Decision::ALL.into_iter().find(|decision| {
        let rest = line.strip_prefix(decision.name());
        rest.is_some_and(|rest| rest.starts_with([':', ' ']))
    })
}

fn answer_painted(line: &str) -> Cow<'_, str> {
    let colour = match line.get(..6) {
        Some("    - ") => RED,
        Some("    + ") => GREEN,
        _ => return line.into(),
    };
    let end = line.trim_end_matches('\n');
    format!("{colour}{end}{END}{}", &line[end.len()..]).into()
}

/// Bold.
const fn colour(decision: Decision) -> &'static str {
    match decision {
        Decision::Pass => "\x1b[1;32m",
        Decision::Fail => "\x1b[1;31m",
        Decision::Hold => "\x1b[1;33m",
        Decision::Invalid => "\x1b[1;35m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decision_and_the_answers_have_a_colour_and_nothing_else() {
        let plain = "a headline\n\nFAIL: 2 differ\n\nPASS: not the decision\n  GET /a\n    - 1\n    + 2\n- 3\n";
        let expect = "a headline\n\n\x1b[1;31mFAIL\x1b[0m: 2 differ\n\nPASS: not the decision\n  GET /a\n\x1b[31m    - 1\x1b[0m\n\x1b[32m    + 2\x1b[0m\n- 3\n";
        assert_eq!(painted(plain), expect);
        assert_eq!(
            painted("HOLD so far: a\n"),
            "\x1b[1;33mHOLD\x1b[0m so far: a\n"
        );
        assert_eq!(painted("FAILED\n"), "FAILED\n");
    }
}
