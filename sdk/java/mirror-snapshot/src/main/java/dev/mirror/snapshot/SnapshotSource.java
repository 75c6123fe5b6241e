package dev.mirror.snapshot;

import com.fasterxml.jackson.core.type.TypeReference;
import java.lang.reflect.Type;
import java.time.Instant;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The seam in a handler's code: reads and writes that are done in production and filed there, and are answered from the
 * snapshot in the mirror.
 *
 * <p>A read has a name, which says what is read, and a key, which says of what. Reads of the same name and key are
 * answered in their order. Where a read failed in production it fails in the mirror, with the same exception where the
 * service has its class.
 *
 * <p>In the mirror a read that no snapshot answers ends as {@link OnMiss} says: with a {@link SnapshotMissException} unless
 * told otherwise.
 */
public interface SnapshotSource {
    /** The id of the request, where it has one. */
    Optional<RequestId> id();

    /** The part that this service plays. */
    Profile profile();

    /** Whole milliseconds: when production received the request, also in the mirror. Outside of a request: now. */
    Instant now();

    /** A new random id, in the mirror the one that production made. */
    default UUID randomId() {
        return load("random id", "", UUID.class, UUID::randomUUID);
    }

    /** Names the request, where production tells the id in its response: before the snapshot is filed. */
    void name(RequestId id);

    /** How far the database's log was when this request read, for mirrors that read a replica. */
    void position(String position);

    /** How the look for the snapshot ended so far; {@link SnapshotState#UNREAD} in production. */
    SnapshotState state();

    /**
     * What {@code database} reads: done and recorded in production, answered from the snapshot in the mirror.
     *
     * @param key a text, a number, or anything that can be written as JSON
     * @param type what it gives; {@link TypeReference#getType()} for a generic one
     */
    <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, Type type,
            Reading<? extends T, E> database) throws E;

    /** {@link #load(String, Object, Type, Reading)} of a class. */
    default <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, Class<T> type,
            Reading<? extends T, E> database) throws E {
        return load(name, key, (Type) type, database);
    }

    /** {@link #load(String, Object, Type, Reading)} of a generic type, as {@code new TypeReference<List<Stock>>() {}}. */
    default <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, TypeReference<T> type,
            Reading<? extends T, E> database)
            throws E {
        return load(name, key, type.getType(), database);
    }

    /** Like {@link #load(String, Object, Class, Reading)}; what no snapshot answers, {@code fallback} does. */
    default <T extends @Nullable Object, E extends Exception> T loadOr(
            String name, @Nullable Object key, Class<T> type, Reading<? extends T, E> database, Supplier<? extends T> fallback) throws E {
        try {
            return load(name, key, type, database);
        } catch (SnapshotMissException miss) {
            return fallback.get();
        }
    }

    /** {@link #load(String, Object, Type, Reading)} that blocks nobody: the stage ends when the value is there. */
    <T extends @Nullable Object> CompletionStage<T> loadAsync(String name, @Nullable Object key, Type type,
            Supplier<? extends CompletionStage<T>> database);

    /**
     * What production recorded under this name and key; in a mirror only, and never from a database.
     *
     * @throws IllegalStateException in production, where nothing is recorded yet
     */
    <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type);

    /**
     * What {@code database} writes and gives: done in production; never in the mirror, which answers with what it gave
     * there, or refuses, as {@link OnWrite} says.
     */
    default <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, Type type,
            Reading<? extends T, E> database) throws E {
        return write(name, key, null, type, database);
    }

    /** {@link #write(String, Object, Type, Reading)} of a class. */
    default <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, Class<T> type,
            Reading<? extends T, E> database) throws E {
        return write(name, key, null, (Type) type, database);
    }

    /**
     * {@link #write(String, Object, Type, Reading)} that says what is written. The agent compares it: a mirror that answers right
     * but would have written something else is found.
     *
     * @param written anything that can be written as JSON, as it is at the call; null for nothing. What makes the key is better
     *     left out of it
     */
    <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, @Nullable Object written, Type type,
            Reading<? extends T, E> database) throws E;

    /** {@link #write(String, Object, Object, Type, Reading)} of a class. */
    default <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, @Nullable Object written,
            Class<T> type, Reading<? extends T, E> database) throws E {
        return write(name, key, written, (Type) type, database);
    }

    /** {@link #write(String, Object, Type, Reading)} that blocks nobody. */
    default <T extends @Nullable Object> CompletionStage<T> writeAsync(String name, @Nullable Object key, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return writeAsync(name, key, null, type, database);
    }

    /** {@link #write(String, Object, Object, Type, Reading)} that blocks nobody. */
    <T extends @Nullable Object> CompletionStage<T> writeAsync(String name, @Nullable Object key, @Nullable Object written, Type type,
            Supplier<? extends CompletionStage<T>> database);
}
