package dev.mirror.snapshot.guard;

/** A write that was refused, and not done. Over JDBC it is the cause of an {@link java.sql.SQLException}. */
public final class WriteRefusedException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message what was refused, without values
     */
    public WriteRefusedException(String message) {
        super(message);
    }

    /**
     * @param kind the client: {@code jdbc}, {@code kafka} …
     * @param what would have been written where, without values
     */
    static WriteRefusedException of(String kind, String what) {
        return new WriteRefusedException("a mirror does not write: " + what
                + "; record the write with SnapshotSource.write, or set mirror.snapshot.guard." + kind);
    }
}
