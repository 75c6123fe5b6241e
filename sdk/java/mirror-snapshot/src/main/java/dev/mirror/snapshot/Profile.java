package dev.mirror.snapshot;

/** The part that a service plays. */
public enum Profile {
    /** Reads are done, nothing is recorded. */
    OFF,
    /** Reads are done, and filed for the mirror. */
    PRODUCTION,
    /** Reads are answered from what production filed. */
    MIRROR
}
