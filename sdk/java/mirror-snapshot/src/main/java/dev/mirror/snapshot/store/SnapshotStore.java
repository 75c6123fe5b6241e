package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Where snapshots are kept, by key. All calls return at once, and what they give ends in time; a command is sent to the store once
 * or not at all. What fails does so with a {@link StoreException}, which a {@link java.util.concurrent.CompletionException} may hold;
 * a write that failed may have been done nevertheless.
 */
public interface SnapshotStore extends AutoCloseable {
    /** How a snapshot was filed. */
    enum Put {
        /** Under its key, which was free. */
        FILED,
        /** Another one stood under its key: the mark of a collision stands there now. */
        COLLIDED
    }

    /**
     * Files a document unless there is one already: then the mark of a collision takes its place. Must be called once for
     * each request: a second try would look like a second request.
     *
     * @param document not to be changed after that
     * @param timeToLive in whole milliseconds, and at least one
     */
    CompletionStage<Put> put(String key, byte[] document, Duration timeToLive);

    /**
     * Files a document under a key of its own, and then lists it. Each step is done at most once, and only where the one before
     * it succeeded. Fails where something stands under the key.
     *
     * @param document not to be changed after that
     * @param timeToLive in whole milliseconds, and at least one; of the list, which others add to, a minute longer
     * @param entry which is put at the list's end
     */
    CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry);

    /**
     * Files a document in place of whatever stands under the key. It is done at most once.
     *
     * @param document not to be changed after that
     * @param timeToLive in whole milliseconds, and at least one
     */
    CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive);

    /** What stands under each of the keys, in their order; null where nothing does. */
    CompletionStage<List<byte @Nullable []>> look(List<String> keys);

    /** Ends well where the store answers. */
    CompletionStage<Void> ping();

    /** Gives connections and threads back, without waiting for what is under way. */
    @Override
    void close();
}
