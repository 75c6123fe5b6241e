package dev.mirror.snapshot;

import java.time.Clock;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Optional;

/**
 * Inside of a request the moment when production received it, the same to the millisecond in production and in the mirror;
 * outside the time of another clock. While a request runs it stands still.
 */
public final class SnapshotClock extends Clock {
    private final Clock outside;

    /** With the clock that counts outside of requests. */
    public SnapshotClock(Clock outside) {
        this.outside = outside;
    }

    @Override
    public Instant instant() {
        Optional<RequestSnapshot> request = SnapshotContext.current();
        return request.isPresent() ? request.get().now() : outside.instant();
    }

    @Override
    public ZoneId getZone() {
        return outside.getZone();
    }

    @Override
    public Clock withZone(ZoneId zone) {
        return new SnapshotClock(outside.withZone(zone));
    }
}
