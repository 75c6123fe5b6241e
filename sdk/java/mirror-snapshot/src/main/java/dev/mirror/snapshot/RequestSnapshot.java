package dev.mirror.snapshot;

import java.time.Instant;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The snapshot of one request, from its arrival until {@link #finish()}. */
public abstract sealed class RequestSnapshot implements SnapshotSource permits Plain, Recording, Serving {
    final Snapshots snapshots;
    private final long at;
    private volatile @Nullable RequestId id;

    RequestSnapshot(Snapshots snapshots, long at, @Nullable RequestId id) {
        this.snapshots = snapshots;
        this.at = at;
        this.id = id;
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
