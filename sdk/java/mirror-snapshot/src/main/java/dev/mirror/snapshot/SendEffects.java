package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Effects;
import org.jspecify.annotations.Nullable;

/**
 * Notes in a mirror what one sending of a request asks for and would have written, and files that in the background when the
 * request has been answered. Nothing here fails or delays a read.
 */
final class SendEffects {
    private final Snapshots snapshots;
    private final String key;

    /** Guards all below. */
    private final Object lock = new Object();
    private Effects effects = new Effects();
    private int bytes;
    /** Why the document would not be whole. */
    private @Nullable Outcome unfit;
    private boolean finished;

    /** @param key under which they are filed */
    SendEffects(Snapshots snapshots, String key) {
        this.snapshots = snapshots;
        this.key = key;
    }

    /** @param key null where it has no text */
    void read(String name, @Nullable String key) {
        if (key == null) {
            unfit(Outcome.EFFECTS_FAILED);
        } else {
            add(to -> to.read(name, key));
        }
    }

    /**
     * @param key null where it has no text
     * @param written null where the service does not say
     */
    void write(String name, @Nullable String key, @Nullable Object written) {
        if (key == null) {
            unfit(Outcome.EFFECTS_FAILED);
        } else {
            var known = snapshots.written(name, written);
            add(to -> to.write(name, key, known));
        }
    }

    private interface Effect {
        void addTo(Effects effects);
    }

    private void add(Effect effect) {
        synchronized (lock) {
            if (finished) {
                snapshots.count(Outcome.EFFECTS_TOO_LATE, "a read or a write came after the request had been answered and is not among"
                        + " its effects: do it before the answer ends");
            } else if (unfit == null) {
                try {
                    effect.addTo(effects);
                } catch (RuntimeException noText) {
                    // Half of a surrogate pair in a name or a key.
                    unfit(Outcome.EFFECTS_FAILED);
                    return;
                }
                take(effects.size() - bytes);
            }
        }
    }

    private void take(int more) {
        if (snapshots.room().take(more)) {
            bytes += more;
        } else {
            unfit(Outcome.EFFECTS_DROPPED);
        }
    }

    /** Gives up what was noted: an effect that is missing in a document would look like a difference. */
    private void unfit(Outcome why) {
        synchronized (lock) {
            if (unfit == null && !finished) {
                unfit = why;
                snapshots.room().give(bytes);
                effects = new Effects();
                bytes = 0;
            }
        }
    }

    /** Has an effect once. */
    void finish() {
        Effects taken;
        int size;
        synchronized (lock) {
            if (finished) {
                return;
            }
            finished = true;
            taken = effects;
            size = bytes;
        }
        if (unfit == null) {
            snapshots.fileEffects(key, size, taken::bytes);
        } else {
            snapshots.count(unfit, unfit == Outcome.EFFECTS_DROPPED ? Snapshots.EFFECTS_DROPPED
                    : "the key of a read or a write has no text, so its effects were not filed: use a text, a number or a record");
        }
    }
}
