package dev.mirror.snapshot.store;

import io.lettuce.core.SetArgs;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Snapshots in Redis or Valkey through Lettuce: one connection for all, and two threads of its own. */
final class LettuceStore implements SnapshotStore {
    private final StoreOptions store;
    private final LettuceLink link;

    /**
     * Begins to connect, in the background.
     *
     * @throws StoreUrlException where a PEM file holds something else
     */
    LettuceStore(StoreOptions options) {
        store = options;
        link = new LettuceLink(options);
    }

    @Override
    public CompletionStage<Put> put(String key, byte[] document, Duration timeToLive) {
        long millis = Stores.millis(timeToLive);
        SetArgs unlessThere = SetArgs.Builder.nx().px(millis);
        return link.run(commands -> commands.set(key, document, unlessThere)).thenCompose(filed -> {
            if (filed != null) {
                return CompletableFuture.completedFuture(Put.FILED);
            }
            return link.run(commands -> commands.set(key, Stores.collided(), SetArgs.Builder.px(millis)))
                    .thenApply(marked -> Put.COLLIDED);
        });
    }

    @Override
    public CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry) {
        SetArgs unlessThere = SetArgs.Builder.nx().px(Stores.millis(timeToLive));
        return link.run(commands -> commands.set(key, document, unlessThere))
                .thenCompose(filed -> filed == null
                        ? CompletableFuture.failedFuture(StoreException.taken(store))
                        : link.run(commands -> commands.rpush(list, entry)))
                .thenCompose(length -> link.run(commands -> commands.pexpire(list, Stores.listMillis(timeToLive))))
                .thenAccept(set -> { });
    }

    @Override
    public CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive) {
        SetArgs always = SetArgs.Builder.px(Stores.millis(timeToLive));
        return link.run(commands -> commands.set(key, document, always)).thenAccept(set -> { });
    }

    @Override
    public CompletionStage<List<byte @Nullable []>> look(List<String> keys) {
        if (keys.isEmpty()) {
            return CompletableFuture.completedFuture(List.of());
        }
        String[] all = keys.toArray(String[]::new);
        return link.run(commands -> commands.mget(all)).thenApply(found -> found.stream()
                .map(value -> value.getValueOrElse(null))
                .toList());
    }

    @Override
    public CompletionStage<Void> ping() {
        return link.run(commands -> commands.ping()).thenAccept(pong -> { });
    }

    @Override
    public void close() {
        link.close();
    }
}
