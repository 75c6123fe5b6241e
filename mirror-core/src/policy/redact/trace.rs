//! What was hidden while something is redacted: for people, and to find it again in what the request read and wrote.

use super::{HiddenValues, Mode};

/// What was hidden, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Where, as in `query token` or `body /items/*/price`.
    pub place: String,
    pub mode: Mode,
}

/// Collects what was hidden, if somebody asks.
#[derive(Debug, Default)]
pub(in crate::policy) struct Trace {
    list: Option<Vec<Redaction>>,
    values: Option<HiddenValues>,
}

impl Trace {
    /// For people.
    pub(in crate::policy) fn on() -> Self {
        Self {
            list: Some(Vec::new()),
            ..Self::default()
        }
    }

    /// Collects the values.
    pub(in crate::policy) fn remembering() -> Self {
        Self {
            values: Some(HiddenValues::default()),
            ..Self::default()
        }
    }

    pub(super) fn remembers(&self) -> bool {
        self.values.is_some()
    }

    /// An empty one, which collects if this one does.
    pub(super) fn another(&self) -> Self {
        Self {
            list: self.list.as_ref().map(|_| Vec::new()),
            values: self.values.as_ref().map(|_| HiddenValues::default()),
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        if let (Some(ours), Some(theirs)) = (&mut self.list, other.list) {
            theirs
                .into_iter()
                .for_each(|redaction| add(ours, redaction));
        }
        if let (Some(ours), Some(theirs)) = (&mut self.values, other.values) {
            ours.extend(theirs);
        }
    }

    /// Says that something was hidden. Its value is to be told by [`remember`](Self::remember) or [`lose`](Self::lose).
    pub(super) fn note(&mut self, mode: Mode, place: impl FnOnce() -> String) {
        if let Some(list) = &mut self.list {
            let place = place();
            add(list, Redaction { place, mode });
        }
    }

    /// A value was hidden at a place, and this stands there now; `None` where nothing does, or what opens nothing else.
    pub(super) fn remember(
        &mut self,
        value: &str,
        new: Option<&str>,
        place: impl FnOnce() -> String,
    ) {
        if let Some(values) = &mut self.values {
            values.add(value, new, &place());
        }
    }

    /// Something was hidden, and what it was cannot be told.
    pub(super) fn lose(&mut self) {
        if let Some(values) = &mut self.values {
            values.lose();
        }
    }

    /// Both.
    pub(super) fn hide(
        &mut self,
        mode: Mode,
        value: &str,
        new: Option<&str>,
        place: impl Fn() -> String,
    ) {
        self.note(mode, &place);
        self.remember(value, new, place);
    }

    pub(in crate::policy) fn into_list(self) -> Vec<Redaction> {
        self.list.unwrap_or_default()
    }

    /// Takes the values out; `None` where nobody asked.
    pub(in crate::policy) fn take_values(&mut self) -> Option<HiddenValues> {
        self.values.take()
    }
}

/// Each place once.
fn add(list: &mut Vec<Redaction>, redaction: Redaction) {
    if !list.contains(&redaction) {
        list.push(redaction);
    }
}
