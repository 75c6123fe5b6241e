package dev.mirror.snapshot;

import java.util.Locale;

/** What can become of a request, its snapshot or a read, each counted in {@link Counts}. */
public enum Outcome {
    /** A snapshot was filed. */
    FILED,
    /** A second request had the id of a snapshot. */
    COLLIDED,
    /** The queue to the store, or the room for what is recorded, was full. */
    DROPPED,
    /** The store did not take it. */
    FAILED,
    /** A snapshot was above the limit and was not filed. */
    TOO_LARGE,
    /** A value could not be encoded: the snapshot was not filed. */
    NOT_ENCODED,
    /** A read ended after the snapshot had been filed. */
    TOO_LATE,
    /** Calls had not ended when the snapshot was filed, which lists them without what they gave. */
    UNFINISHED,
    /** No rule named the request. */
    NO_ID,
    /** A rule asked for a field of the body, which is no JSON. */
    BODY_NOT_JSON,
    /** A rule asked for a field of the body, which is above the limit or coded in an unknown way. */
    BODY_NOT_READ,
    /** The rules cannot be parsed, or the store's address: nothing is recorded. */
    MISCONFIGURED,
    /** The mirror found a snapshot at once. */
    HIT,
    /** The mirror found a snapshot while waiting. */
    LATE,
    /** The mirror found none. */
    MISSING,
    /** The mirror found the mark of a collision. */
    FOUND_COLLIDED,
    /** The store did not answer the mirror. */
    UNAVAILABLE,
    /** A snapshot of a newer version, or none that this service can read. */
    UNREADABLE,
    /** A value in the snapshot is not of the type that the service reads. */
    WRONG_TYPE,
    /** A read that production had not done. */
    NOT_RECORDED,
    /** A read outside of a request. */
    NO_REQUEST,
    /** A write that the mirror did not do, and noted. */
    WRITE_RECORDED,
    /** A write that the mirror refused. */
    WRITE_REFUSED,
    /** The mirror filed what a request read and would have written. */
    EFFECTS_FILED,
    /** The queue to the store, or the room for what is noted, was full. */
    EFFECTS_DROPPED,
    /** The store did not take them, or one of them has no text. */
    EFFECTS_FAILED,
    /** A read or a write came after they had been filed. */
    EFFECTS_TOO_LATE;

    private final String text = name().toLowerCase(Locale.ROOT);

    /** As it stands in metrics: {@code too_large}. */
    public String text() {
        return text;
    }
}
