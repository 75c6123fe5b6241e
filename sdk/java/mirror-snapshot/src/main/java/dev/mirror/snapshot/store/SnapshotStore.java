package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletionStage;

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

    /** What stands under each of the keys, in their order; null where nothing does. */
    CompletionStage<List<byte[]>> look(List<String> keys);

    /** Ends well where the store answers. */
    CompletionStage<Void> ping();

    /** Gives connections and threads back, without waiting for what is under way. */
    @Override
    void close();
}
