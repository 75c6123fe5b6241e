package dev.mirror.snapshot.benchmarks;

import dev.mirror.snapshot.store.SnapshotStore;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;

/** Takes everything at once, so that what is measured is the request's side. */
final class Swallowing implements SnapshotStore {
    private static final CompletionStage<Put> FILED = CompletableFuture.completedStage(Put.FILED);

    @Override
    public CompletionStage<Put> put(String key, byte[] document, Duration timeToLive) {
        return FILED;
    }

    @Override
    public CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry) {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive) {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public CompletionStage<List<byte[]>> look(List<String> keys) {
        return CompletableFuture.failedStage(new IllegalStateException("nothing is looked for here"));
    }

    @Override
    public CompletionStage<Void> ping() {
        return CompletableFuture.completedStage(null);
    }

    @Override
    public void close() {}
}
