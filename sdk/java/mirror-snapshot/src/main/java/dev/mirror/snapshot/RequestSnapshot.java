package dev.mirror.snapshot;

import java.lang.reflect.Type;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The snapshot of one request, from its arrival until {@link #finish()}. */
public abstract sealed class RequestSnapshot implements SnapshotSource permits Inside, Plain, Recording, Serving {
    final Snapshots snapshots;
    private final long at;
    private volatile @Nullable RequestId id;

    RequestSnapshot(Snapshots snapshots, long at, @Nullable RequestId id) {
        this.snapshots = snapshots;
        this.at = at;
        this.id = id;
    }

    /**
     * This request while one of its reads or writes is done, for who carries it there in another way than by the thread: what is asked
     * for by it is a part of that read or write, which a mirror does not do.
     */
    public RequestSnapshot inside() {
        return new Inside(this);
    }

    /** Whether this is the other one while one of its reads or writes is done. */
    boolean isInside(RequestSnapshot other) {
        return false;
    }

    /** While this thread does one of its reads or writes. */
    final SnapshotContext.Scope doing() {
        return SnapshotContext.enter(inside());
    }

    /** Whether this thread does one of its reads or writes just now. */
    final boolean isDoing() {
        RequestSnapshot current = SnapshotContext.currentOrNull();
        return current != null && current.isInside(this);
    }

    abstract <T extends @Nullable Object, E extends Exception> T done(Call call, Type type, Reading<? extends T, E> database) throws E;

    abstract <T extends @Nullable Object> CompletionStage<T> doneAsync(Call call, Type type,
            Supplier<? extends CompletionStage<T>> database);

    @Override
    public final <T extends @Nullable Object, E extends Exception> T load(String name, @Nullable Object key, Type type,
            Reading<? extends T, E> database) throws E {
        return done(Call.read(name, key), type, database);
    }

    @Override
    public final <T extends @Nullable Object> CompletionStage<T> loadAsync(String name, @Nullable Object key, Type type,
            Supplier<? extends CompletionStage<T>> database) {
        return doneAsync(Call.read(name, key), type, database);
    }

    @Override
    public final <T extends @Nullable Object, E extends Exception> T write(String name, @Nullable Object key, @Nullable Object written,
            Type type, Reading<? extends T, E> database) throws E {
        return done(Call.write(name, key, written), type, database);
    }

    @Override
    public final <T extends @Nullable Object> CompletionStage<T> writeAsync(String name, @Nullable Object key, @Nullable Object written,
            Type type, Supplier<? extends CompletionStage<T>> database) {
        return doneAsync(Call.write(name, key, written), type, database);
    }

    /** The header by which this answer must tell the id, where that is how a request is named. */
    public Optional<String> toldIn() {
        return Optional.empty();
    }

    /**
     * Whether the mirror files what this request reads and would have written. Then its answer must say so, with
     * {@link Headers#EFFECTS} and the value {@code 1}.
     */
    public boolean filesEffects() {
        return false;
    }

    /**
     * The request has been answered: in production what was read is filed now, in the mirror the effects that were asked for. Counts
     * once.
     */
    public abstract void finish();

    @Override
    public Optional<RequestId> id() {
        return Optional.ofNullable(id);
    }

    @Override
    public void name(RequestId id) {
        this.id = id;
    }

    @Override
    public Instant now() {
        return Instant.ofEpochMilli(at);
    }

    long at() {
        return at;
    }

    @Override
    public void position(String position) {}

    @Override
    public SnapshotState state() {
        return SnapshotState.UNREAD;
    }

    @Override
    public Profile profile() {
        return snapshots.profile();
    }
}
