package dev.mirror.snapshot;

/** What the mirror does with a read that no snapshot answers. */
public enum OnMiss {
    /** Ends the request with status 503 and the reason in a header, which the agent counts. */
    ERROR,
    /** Asks the service's own {@link SnapshotFallback}. */
    FALLBACK,
    /** Does the read on the mirror's own database. */
    DATABASE
}
