//! What a request read and wrote: keys are texts, and what is written is JSON like that of a body.

use mirror_contract::{Effect, EffectsDocument};

use super::{Redactor, Trace, json};

impl Redactor {
    /// Hides in effects what rules about JSON and detectors name: in production's and the mirror's alike. Where a value is known by
    /// its digest only, nothing can be found in it, and the digest goes too: the mirror's value may hold a token where
    /// production's has a secret.
    pub fn redact_effects(&self, document: &mut EffectsDocument) {
        if self.json.is_empty() && self.detectors.is_empty() {
            return;
        }
        let mut trace = Trace::default();
        document.edit(|effect| {
            let (Effect::Read { key, .. } | Effect::Write { key, .. }) = effect;
            if let Some(new) = self.detected(key, &mut trace) {
                *key = new;
            }
            let Effect::Write { written, .. } = effect else {
                return;
            };
            match written.as_mut().and_then(|written| written.value.as_mut()) {
                None => *written = None,
                Some(value) => {
                    if let Some(new) = json::redact(self, value.as_bytes(), &mut trace) {
                        *value = String::from_utf8_lossy(&new).into_owned();
                    }
                }
            }
        });
    }
}
