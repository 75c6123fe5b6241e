package dev.mirror.snapshot;

import java.util.Arrays;
import java.util.concurrent.atomic.LongAdder;

/** How often each {@link Outcome} came since the start. */
public final class Counts {
    /** By the outcome's ordinal. */
    private final LongAdder[] adders = new LongAdder[Outcome.values().length];

    Counts() {
        Arrays.setAll(adders, outcome -> new LongAdder());
    }

    void count(Outcome outcome) {
        adders[outcome.ordinal()].increment();
    }

    /** How often it came. */
    public long of(Outcome outcome) {
        return adders[outcome.ordinal()].sum();
    }
}
