package dev.mirror.snapshot;

import java.lang.reflect.Type;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The source of whatever request the calling thread works for: one object for a whole service. */
final class CurrentSource implements SnapshotSource {
    private final Snapshots snapshots;

    CurrentSource(Snapshots snapshots) {
        this.snapshots = snapshots;
    }

    private SnapshotSource current() {
        RequestSnapshot request = SnapshotContext.currentOrNull();
        return request != null ? request : snapshots.outside();
    }

    @Override
    public Optional<RequestId> id() {
        return current().id();
    }

    @Override
    public Profile profile() {
        return snapshots.profile();
    }

    @Override
    public Instant now() {
        return current().now();
    }

    @Override
    public void name(RequestId id) {
        current().name(id);
    }

    @Override
    public void position(String position) {
        current().position(position);
    }

    @Override
    public SnapshotState state() {
        return current().state();
    }

    @Override
    public <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, Type type,
            Reading<? extends T, E> database) throws E {
        return current().load(name, key, type, database);
    }

    @Override
    public <T extends @Nullable Object> CompletionStage<T> loadAsync(String name, @Nullable Object key, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return current().loadAsync(name, key, type, database);
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        return current().recorded(name, key, type);
    }

    @Override
    public <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, @Nullable Object written,
            Type type, Reading<? extends T, E> database) throws E {
        return current().write(name, key, written, type, database);
    }

    @Override
    public <T extends @Nullable Object> CompletionStage<T> writeAsync(String name, @Nullable Object key, @Nullable Object written, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return current().writeAsync(name, key, written, type, database);
    }
}
