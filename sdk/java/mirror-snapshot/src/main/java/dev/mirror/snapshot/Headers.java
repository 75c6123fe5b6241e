package dev.mirror.snapshot;

/** Headers by which agent, production and mirror speak to each other. */
public final class Headers {
    /** Of a replayed request: its id. Of production's and the mirror's answer: the id that its snapshot has. */
    public static final String REQUEST_ID = "x-mirror-request-id";
    /** Of a replayed request: when production received it, milliseconds since the epoch. */
    public static final String CAPTURED_AT = "x-mirror-captured-at";
    /** Marks a replayed request; its value is {@code 1}. */
    public static final String REPLAY = "x-mirror-replay";
    /** Of a replayed request: the namespace that its snapshot was copied to. */
    public static final String NAMESPACE = "x-mirror-namespace";
    /** Of a replayed request: which sending of it this is. With it the mirror files what the request read and would have written. */
    public static final String SEND = "x-mirror-send";
    /** Of the mirror's answer: how its look for the snapshot ended, as {@link SnapshotState#text()} says. */
    public static final String SNAPSHOT = "x-mirror-snapshot";
    /** Of the mirror's answer: {@code 1} where it files what the request read and would have written. */
    public static final String EFFECTS = "x-mirror-effects";
    /** Of production's answer: how far the database's log was, for mirrors that read a replica. */
    public static final String POSITION = "x-mirror-position";

    private Headers() {}
}
