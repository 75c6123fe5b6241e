package dev.mirror.snapshot;

import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One log line a minute for each outcome that somebody has to do something about: a busy service must not drown in them. */
final class Notices {
    private static final Logger LOG = LoggerFactory.getLogger(Snapshots.class);
    private static final long PAUSE = TimeUnit.MINUTES.toNanos(1);

    /** By the outcome's ordinal. */
    private final AtomicLong[] notBefore = new AtomicLong[Outcome.values().length];

    Notices() {
        long now = System.nanoTime();
        Arrays.setAll(notBefore, outcome -> new AtomicLong(now));
    }

    /**
     * @param advice what happened to what, never a value, and what to do
     */
    void tell(Outcome outcome, String advice) {
        AtomicLong next = notBefore[outcome.ordinal()];
        long due = next.get();
        long now = System.nanoTime();
        if (now - due >= 0 && next.compareAndSet(due, now + PAUSE)) {
            LOG.warn("{}: {} (counted; not told again within a minute)", outcome.text(), advice);
        }
    }
}
