package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;

/** One caller's wait for a key, from the call to its end. The looks that were done are known to the waiter's thread only. */
final class Wait extends CompletableFuture<Waited> {
    private final String key;
    private final long began = System.nanoTime();
    private long lookedAt;
    private int looks;
    private int failures;

    Wait(String key) {
        this.key = key;
    }

    String key() {
        return key;
    }

    /** How long it has been, in nanoseconds, since the last look. */
    long sinceLook() {
        return System.nanoTime() - lookedAt;
    }

    void found(byte[] value) {
        complete(new Waited.Hit(value, looks == 0, waited()));
    }

    /** Nothing stood there. */
    void goesOn(WaitOptions options) {
        failures = 0;
        looks++;
        looked(options);
    }

    /** Looks take long where a store does not answer: the time may be over before as many as {@code tries} have failed. */
    void failed(WaitOptions options, Throwable why) {
        failures++;
        looks++;
        boolean onlyFailed = failures == looks && isOver(options);
        if (failures >= options.tries() || onlyFailed) {
            unavailable(why);
        } else {
            looked(options);
        }
    }

    void unavailable(Throwable why) {
        complete(new Waited.Unavailable(why, waited()));
    }

    private void looked(WaitOptions options) {
        lookedAt = System.nanoTime();
        if (isOver(options)) {
            complete(new Waited.Missing(waited()));
        }
    }

    private boolean isOver(WaitOptions options) {
        return waited().compareTo(options.timeout()) >= 0;
    }

    private Duration waited() {
        return Duration.ofNanos(System.nanoTime() - began);
    }

    @Override
    public <U> CompletableFuture<U> newIncompleteFuture() {
        return new CompletableFuture<>();
    }
}
