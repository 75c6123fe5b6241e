package dev.mirror.snapshot;

import java.lang.reflect.Type;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** A request for which everything is done and nothing recorded: switched off, or in production outside of a request. */
final class Plain extends RequestSnapshot {
    Plain(Snapshots snapshots, long at) {
        super(snapshots, at, null);
    }

    @Override
    public void finish() {}

    @Override
    public <T, E extends Exception> T load(String name, Object key, Type type, Reading<? extends T, E> database) throws E {
        return database.read();
    }

    @Override
    public <T> CompletionStage<T> loadAsync(String name, Object key, Type type, Supplier<? extends CompletionStage<T>> database) {
        return database.get();
    }

    @Override
    public <T> T recorded(String name, Object key, Class<T> type) {
        throw Recording.onlyInAMirror(name);
    }

    @Override
    public <T, E extends Exception> T write(String name, Object key, Type type, Reading<? extends T, E> database) throws E {
        return database.read();
    }

    @Override
    public <T> CompletionStage<T> writeAsync(String name, Object key, Type type, Supplier<? extends CompletionStage<T>> database) {
        return database.get();
    }
}
