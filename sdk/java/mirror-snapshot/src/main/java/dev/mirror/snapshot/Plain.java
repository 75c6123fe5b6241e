package dev.mirror.snapshot;

import java.lang.reflect.Type;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A request for which everything is done and nothing recorded: switched off, or in production outside of a request. */
final class Plain extends RequestSnapshot {
    Plain(Snapshots snapshots, long at) {
        super(snapshots, at, null);
    }

    @Override
    public void finish() {}

    @Override
    <T extends @Nullable Object, E extends Exception> T done(Call call, Type type, Reading<? extends T, E> database) throws E {
        return database.read();
    }

    @Override
    <T extends @Nullable Object> CompletionStage<T> doneAsync(Call call, Type type, Supplier<? extends CompletionStage<T>> database) {
        return database.get();
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        throw Recording.onlyInAMirror(name);
    }
}
