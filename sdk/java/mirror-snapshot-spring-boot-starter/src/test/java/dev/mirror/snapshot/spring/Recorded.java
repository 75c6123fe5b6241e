package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.function.Function;

/**
 * Work in production whose snapshot is in the store.
 *
 * @param given what the work gave
 * @param document the snapshot
 */
public record Recorded<T>(T given, String id, String document) {
    private static final int MAX_ATTEMPTS = 20;
    private static final String KEY = "snapshot:";

    /** Work for the request of this id. */
    @FunctionalInterface
    public interface Work<T> {
        T done(String id) throws Exception;
    }

    /** The same with an id of its own for each attempt. */
    public static <T> Recorded<T> by(Snapshots production, Work<T> work) {
        return by(Redis.shared(), production, work);
    }

    /** The same with this store. */
    public static <T> Recorded<T> by(Redis store, Snapshots production, Work<T> work) {
        record Named<T>(String id, T given) {}
        Recorded<Named<T>> named = by(store, production, () -> {
            String id = UUID.randomUUID().toString();
            return new Named<>(id, work.done(id));
        }, Named::id);
        return new Recorded<>(named.given.given, named.id, named.document);
    }

    /**
     * Does the work, and again where production gave its snapshot up. It does so, and counts it, when the store does not answer
     * within half a second, which happens on a machine that stands still.
     *
     * @param work has another id each time
     * @param id of what was done, never null
     */
    public static <T> Recorded<T> by(Snapshots production, Callable<T> work, Function<T, String> id) {
        return by(Redis.shared(), production, work, id);
    }

    private static <T> Recorded<T> by(Redis store, Snapshots production, Callable<T> work, Function<T, String> id) {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            long before = givenUp(production);
            T given = called(work);
            String name = id.apply(given);
            if (name == null) {
                throw new AssertionError("no id: " + given);
            }
            Waiting.until("the snapshot of " + name + " is filed or given up",
                    () -> store.get(KEY + name) != null || givenUp(production) > before);
            String document = store.get(KEY + name);
            if (document != null) {
                return new Recorded<>(given, name, document);
            }
        }
        throw new AssertionError("production gave " + MAX_ATTEMPTS + " snapshots up");
    }

    /** Snapshots that were ready and did not get into the store. */
    public static long givenUp(Snapshots production) {
        return production.counts().of(Outcome.FAILED) + production.counts().of(Outcome.DROPPED);
    }

    private static <T> T called(Callable<T> work) {
        try {
            return work.call();
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }
}
