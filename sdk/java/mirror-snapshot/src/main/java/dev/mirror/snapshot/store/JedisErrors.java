package dev.mirror.snapshot.store;

import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * What Jedis throws → what is told.
 *
 * @param answer how long an answer is waited for
 * @param call how long a whole call may take
 */
record JedisErrors(StoreOptions store, Duration answer, Duration call) {
    /** After these a server is not, or not yet, the one that takes writes. */
    private static final Set<String> NOT_THE_MASTER = Set.of("READONLY", "LOADING", "MASTERDOWN");

    /** Whether a connection is of no use after this error: it is dead or silent, or no longer the master's. */
    static boolean breaks(Throwable error) {
        return !(error instanceof JedisDataException refusal)
                || NOT_THE_MASTER.contains(StoreException.code(String.valueOf(refusal.getMessage())));
    }

    StoreException told(Throwable error) {
        if (error instanceof StoreException known) {
            return known;
        }
        if (error instanceof TimeoutException) {
            return StoreException.silent(store, call);
        }
        Throwable inner = error;
        for (int depth = 0; inner != null && depth < 10; depth++, inner = StoreException.next(inner)) {
            if (inner instanceof JedisDataException) {
                return StoreException.refused(store, String.valueOf(inner.getMessage()));
            }
            if (inner instanceof SocketTimeoutException) {
                return StoreException.silent(store, answer);
            }
        }
        return StoreException.unreached(store, error);
    }
}
