package dev.mirror.snapshot;

/** What the mirror does with a write; it is never done. */
public enum OnWrite {
    /** Notes it and answers with what the write gave in production. */
    RECORD,
    /** Throws {@link dev.mirror.snapshot.guard.WriteRefusedException}. */
    REFUSE
}
