package dev.mirror.snapshot.store;

import java.time.Duration;

/** How a wait for a snapshot ended. */
public sealed interface Waited {
    /** How long it took. */
    Duration waited();

    /**
     * There was one.
     *
     * @param value what stands under the key
     * @param atOnce found by the first look
     */
    record Hit(byte[] value, boolean atOnce, Duration waited) implements Waited {}

    /** None came in time. */
    record Missing(Duration waited) implements Waited {}

    /** So many looks in a row failed that the store counts as unavailable. */
    record Unavailable(Throwable why, Duration waited) implements Waited {}
}
