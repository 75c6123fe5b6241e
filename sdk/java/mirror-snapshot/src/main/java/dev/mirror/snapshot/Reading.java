package dev.mirror.snapshot;

import org.jspecify.annotations.Nullable;

/**
 * A read or a write of a database or another service.
 *
 * @param <T> what it gives
 * @param <E> how it fails
 */
@FunctionalInterface
public interface Reading<T extends @Nullable Object, E extends Exception> {
    /** Does it. */
    T read() throws E;
}
