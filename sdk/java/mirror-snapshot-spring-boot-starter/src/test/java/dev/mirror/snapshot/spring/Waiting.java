package dev.mirror.snapshot.spring;

import java.time.Duration;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** Waits for what comes from elsewhere. The limit only ends a test that would never end. */
public final class Waiting {
    private static final Duration LONGEST = Duration.ofSeconds(30);

    private Waiting() {}

    public static void until(String what, BooleanSupplier done) {
        long end = System.nanoTime() + LONGEST.toNanos();
        while (!done.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + LONGEST + ": " + what);
            }
            sleep(5);
        }
    }

    /** What is not null. */
    public static <T> T found(String what, Supplier<T> look) {
        Object[] found = new Object[1];
        until(what, () -> (found[0] = look.get()) != null);
        @SuppressWarnings("unchecked")
        T it = (T) found[0];
        return it;
    }

    public static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException asked) {
            throw new AssertionError(asked);
        }
    }
}
