package dev.mirror.snapshot;

/** No snapshot answers this read, and the mirror was not told what to do instead: the request ends with status 503. */
public final class SnapshotMissException extends RuntimeException {
    private static final long serialVersionUID = 1;

    private final SnapshotState state;

    SnapshotMissException(SnapshotState state, String message) {
        super(message);
        this.state = state;
    }

    /** Why. */
    public SnapshotState state() {
        return state;
    }
}
