//! What a request read and wrote: keys are texts, and what is written is JSON like that of a body.

use mirror_contract::{Effect, EffectsDocument, Written};

use super::hidden::Finder;
use super::{HiddenValues, Redactor, Trace, json, scalars};
use crate::detect::MASK;

impl Redactor {
    /// Hides in effects what rules about JSON and detectors name, and what was hidden in the exchange: in production's and the
    /// mirror's alike. Where a value is known by its digest only, nothing can be found in it, and the digest goes too: the
    /// mirror's value may hold a token where production's has a secret.
    ///
    /// Where more was hidden than is known, each key may be a secret: then a token stands for it, without a key a mask, and nothing
    /// is said of what is written.
    pub fn redact_effects(&self, document: &mut EffectsDocument, hidden: &HiddenValues) {
        if hidden.is_partial() {
            return document.edit(|effect| self.cover(effect));
        }
        let finder = hidden.finder();
        let has_rules = !self.json.is_empty() || !self.detectors.is_empty();
        if finder.is_none() && !has_rules {
            return;
        }
        let mut trace = Trace::default();
        document.edit(|effect| {
            if let Some(finder) = &finder {
                replace(finder, effect);
            }
            if has_rules {
                self.redact_effect(effect, &mut trace);
            }
        });
    }

    fn redact_effect(&self, effect: &mut Effect, trace: &mut Trace) {
        let (Effect::Read { key, .. } | Effect::Write { key, .. }) = effect;
        if let Some(new) = self.detected(key, trace) {
            *key = new;
        }
        let Effect::Write { written, .. } = effect else {
            return;
        };
        match written.as_mut().and_then(|written| written.value.as_mut()) {
            None => *written = None,
            Some(value) => {
                if let Some(new) = json::redact(self, value.as_bytes(), trace) {
                    *value = String::from_utf8_lossy(&new).into_owned();
                }
            }
        }
    }

    fn cover(&self, effect: &mut Effect) {
        let (Effect::Read { key, .. } | Effect::Write { key, .. }) = effect;
        *key = match &self.key {
            Some(with) if !key.is_empty() => with.token(key),
            _ => MASK.into(),
        };
        if let Effect::Write { written, .. } = effect {
            *written = None;
        }
    }
}

/// Puts what stands for hidden values in their places.
fn replace(finder: &Finder<'_>, effect: &mut Effect) {
    let (Effect::Read { name, key } | Effect::Write { name, key, .. }) = effect;
    for text in [name, key] {
        if let Some(new) = finder.replaced(text) {
            *text = new;
        }
    }
    if let Effect::Write {
        written: Some(Written {
            value: Some(value), ..
        }),
        ..
    } = effect
        && let Some(new) = scalars::mapped(value, |text| finder.replaced(text))
    {
        *value = new;
    }
}

#[cfg(test)]
mod tests;
