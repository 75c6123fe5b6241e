package dev.mirror.snapshot;

import java.lang.reflect.Type;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A request while one of its reads or writes is done: what is asked for here is a part of that one. */
final class Inside extends RequestSnapshot {
    private final RequestSnapshot whole;

    Inside(RequestSnapshot whole) {
        super(whole.snapshots, whole.at(), null);
        this.whole = whole;
    }

    @Override
    public RequestSnapshot inside() {
        return this;
    }

    @Override
    boolean isInside(RequestSnapshot other) {
        return whole == other;
    }

    @Override
    <T extends @Nullable Object, E extends Exception> T done(Call call, Type type, Reading<? extends T, E> database) throws E {
        return whole.done(call.inside(), type, database);
    }

    @Override
    <T extends @Nullable Object> CompletionStage<T> doneAsync(Call call, Type type, Supplier<? extends CompletionStage<T>> database) {
        return whole.doneAsync(call.inside(), type, database);
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        return whole.recorded(name, key, type);
    }

    @Override
    public Optional<String> toldIn() {
        return whole.toldIn();
    }

    @Override
    public boolean filesEffects() {
        return whole.filesEffects();
    }

    @Override
    public void finish() {
        whole.finish();
    }

    @Override
    public Optional<RequestId> id() {
        return whole.id();
    }

    @Override
    public void name(RequestId id) {
        whole.name(id);
    }

    @Override
    public void position(String position) {
        whole.position(position);
    }

    @Override
    public SnapshotState state() {
        return whole.state();
    }
}
