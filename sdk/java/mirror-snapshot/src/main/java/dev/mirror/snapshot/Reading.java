package dev.mirror.snapshot;

/**
 * A read or a write of a database or another service.
 *
 * @param <T> what it gives
 * @param <E> how it fails
 */
@FunctionalInterface
public interface Reading<T, E extends Exception> {
    /** Does it. */
    T read() throws E;
}
