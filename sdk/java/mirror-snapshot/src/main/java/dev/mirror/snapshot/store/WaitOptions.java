package dev.mirror.snapshot.store;

import java.time.Duration;

/**
 * How long a snapshot is waited for.
 *
 * @param timeout for the whole wait
 * @param poll between two looks
 * @param tries looks that may fail in a row before the store counts as unavailable
 */
public record WaitOptions(Duration timeout, Duration poll, int tries) {
    /** 2 s, every 100 ms, 3 tries. */
    public static final WaitOptions DEFAULT = new WaitOptions(Duration.ofSeconds(2), Duration.ofMillis(100), 3);

    /**
     * @throws IllegalArgumentException where a duration or the number of tries is not positive
     */
    public WaitOptions {
        if (timeout.isNegative() || poll.isNegative() || poll.isZero() || tries < 1) {
            throw new IllegalArgumentException("waiting needs a timeout, a poll above zero, and at least one try");
        }
    }
}
