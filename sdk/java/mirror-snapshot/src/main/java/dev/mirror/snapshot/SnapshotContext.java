package dev.mirror.snapshot;

import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** The request that the current thread works for. */
public final class SnapshotContext {
    private static final ThreadLocal<RequestSnapshot> CURRENT = new ThreadLocal<>();

    private SnapshotContext() {}

    /** The snapshot of the current thread's request. */
    public static Optional<RequestSnapshot> current() {
        return Optional.ofNullable(CURRENT.get());
    }

    /** The same, null for none: for what carries it from thread to thread. */
    public static @Nullable RequestSnapshot currentOrNull() {
        return CURRENT.get();
    }

    /** From now until the scope is closed this thread works for that request; null for none. */
    public static Scope enter(@Nullable RequestSnapshot request) {
        RequestSnapshot before = CURRENT.get();
        set(request);
        return () -> set(before);
    }

    private static void set(@Nullable RequestSnapshot request) {
        if (request == null) {
            CURRENT.remove();
        } else {
            CURRENT.set(request);
        }
    }

    /** Ends what {@link #enter} began. */
    @FunctionalInterface
    public interface Scope extends AutoCloseable {
        @Override
        void close();
    }

    /** Work for the current request, wherever it runs. */
    public static Runnable wrap(Runnable work) {
        RequestSnapshot request = CURRENT.get();
        return () -> {
            try (Scope scope = enter(request)) {
                work.run();
            }
        };
    }

    /** Work for the current request, wherever it runs. */
    public static <T> Callable<T> wrap(Callable<T> work) {
        RequestSnapshot request = CURRENT.get();
        return () -> {
            try (Scope scope = enter(request)) {
                return work.call();
            }
        };
    }

    /** Runs everything for the request of the thread that handed it over. */
    public static Executor wrap(Executor executor) {
        return work -> executor.execute(wrap(work));
    }
}
