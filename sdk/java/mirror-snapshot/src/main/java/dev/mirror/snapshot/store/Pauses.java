package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** When a store that failed may be tried again, with growing pauses; logs once that it is lost, and once that it is back. */
final class Pauses {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotStore.class);
    private static final Duration FIRST = Duration.ofMillis(50);
    private static final Duration LONGEST = Duration.ofSeconds(2);
    /** A store that comes and goes is logged this often at the most. */
    private static final Duration LOGGED = Duration.ofSeconds(30);

    private final StoreOptions store;
    private final LongSupplier nanos;
    /** Null while all is well. */
    private final AtomicReference<Pause> pause = new AtomicReference<>();
    private final AtomicInteger losses = new AtomicInteger();
    private volatile long loggedAt;

    private record Pause(int failures, long until, Throwable why, boolean logged) {}

    Pauses(StoreOptions store) {
        this(store, System::nanoTime);
    }

    Pauses(StoreOptions store, LongSupplier nanos) {
        this.store = store;
        this.nanos = nanos;
        this.loggedAt = nanos.getAsLong() - LOGGED.toNanos();
    }

    /** Null where it may be tried now, else the error to fail with. */
    @Nullable StoreException now() {
        Pause pause = this.pause.get();
        if (pause == null) {
            return null;
        }
        long left = pause.until - nanos.getAsLong();
        return left <= 0 ? null : StoreException.pausing(store, Duration.ofNanos(left), pause.why);
    }

    /** A connection was not made, or it broke. Several at once count as one. */
    void failed(Throwable why) {
        Pause before = pause.get();
        long now = nanos.getAsLong();
        if (before != null && now - before.until < 0) {
            return;
        }
        int failures = before == null ? 0 : before.failures;
        long wait = Math.min(FIRST.toNanos() << Math.min(failures, 6), LONGEST.toNanos());
        boolean logs = (before == null || !before.logged) && now - loggedAt >= LOGGED.toNanos();
        boolean logged = logs || before != null && before.logged;
        if (pause.compareAndSet(before, new Pause(failures + 1, now + wait, why, logged))) {
            losses.incrementAndGet();
            if (logs) {
                loggedAt = now;
                LOG.warn("{}. Requests go on without it; it is tried again and again", why.getMessage());
            }
        }
    }

    /** How often it failed: a connection from before the last time is likely to be of no use. */
    int losses() {
        return losses.get();
    }

    /** The store answered. */
    void answered() {
        if (pause.get() == null) {
            return;
        }
        Pause before = pause.getAndSet(null);
        if (before != null && before.logged) {
            LOG.info("snapshot store {}: reached again", store);
        }
    }
}
