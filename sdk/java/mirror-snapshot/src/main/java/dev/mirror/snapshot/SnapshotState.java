package dev.mirror.snapshot;

/** How a mirror's look for a request's snapshot ended, so far. */
public enum SnapshotState {
    /** Nothing was read yet. */
    UNREAD,
    /** There at the first look. */
    HIT,
    /** Came while waiting. */
    LATE,
    /** None came. */
    MISSING,
    /** Several requests had its id. */
    COLLIDED,
    /** The store did not answer. */
    UNAVAILABLE,
    /** What stands there is not what this service reads. */
    UNREADABLE,
    /** A read was not in it. */
    INCOMPLETE;

    private final String text = name().toLowerCase(java.util.Locale.ROOT);

    /** As it stands in the header {@link Headers#SNAPSHOT}. */
    public String text() {
        return text;
    }
}
