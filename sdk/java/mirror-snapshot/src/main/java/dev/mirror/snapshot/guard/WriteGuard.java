package dev.mirror.snapshot.guard;

import java.util.function.Supplier;

/**
 * Decides about writes. {@link GuardedDataSource} asks it for JDBC; for other clients (Kafka, MongoDB, HTTP …) a service
 * asks it itself, best with {@link #guard guard} around the call.
 */
@FunctionalInterface
public interface WriteGuard {
    /** What becomes of a write. */
    enum Verdict {
        /** It is done. */
        ALLOW,
        /** It is noted, not done, and answered as if it had been. */
        RECORD,
        /** It fails. */
        REFUSE
    }

    /** A write that is done where it is allowed. */
    @FunctionalInterface
    interface Write<T, E extends Exception> {
        /** Does it, and gives what it gave. */
        T run() throws E;
    }

    /**
     * Asked before each write; notes and counts it. Must not block, since it is called on the thread of a request. An
     * exception from here, or null, means that the write is not done.
     *
     * @param kind the client: {@code jdbc}, {@code kafka} …
     * @param what would be written where, without values; of SQL the statement's text, its literals as {@code ?}
     */
    Verdict judge(String kind, String what);

    /**
     * Whether {@link #judge judge} could allow a write of this kind at all; true unless implemented, since production has to
     * write. A guard that never does should say so: then JDBC connections are handed out read-only besides, and the database
     * refuses what the guard cannot see. Asked for each connection; nothing is noted or counted.
     */
    default boolean mayAllow(String kind) {
        return true;
    }

    /**
     * Does the write where it is allowed, and answers with {@code instead} where it is only noted.
     *
     * @throws WriteRefusedException where it is refused
     * @throws E from the write itself
     */
    default <T, E extends Exception> T guard(String kind, String what, Write<T, E> write, Supplier<? extends T> instead)
            throws E {
        Verdict verdict = judge(kind, what);
        if (verdict == Verdict.ALLOW) {
            return write.run();
        }
        if (verdict == Verdict.RECORD) {
            return instead.get();
        }
        throw WriteRefusedException.of(kind, what);
    }
}
