package dev.mirror.snapshot;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** How often each {@link Outcome} came since the start. */
public final class Counts {
    private final Map<Outcome, LongAdder> adders = new EnumMap<>(Outcome.class);

    Counts() {
        for (Outcome outcome : Outcome.values()) {
            adders.put(outcome, new LongAdder());
        }
    }

    void count(Outcome outcome) {
        adders.get(outcome).increment();
    }

    /** How often it came. */
    public long of(Outcome outcome) {
        return adders.get(outcome).sum();
    }
}
