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

    /** The request has been answered: in production what was read is filed now. Has an effect once. */
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
