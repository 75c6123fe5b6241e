package dev.mirror.snapshot;

import dev.mirror.snapshot.store.RedisServer;
import java.time.Duration;
import java.util.function.Supplier;

/** Requests to production whose snapshots are in the store. */
final class Recorded {
    private static final int MAX_ATTEMPTS = 20;
    private static final Duration ENDS_WITHIN = Duration.ofSeconds(30);

    private Recorded() {}

    /** What is done for a request before its end. */
    @FunctionalInterface
    interface Work {
        void on(RequestSnapshot there) throws Exception;
    }

    /**
     * Does the work for a request and ends it, and again where production gave its snapshot up. It does so, and counts it, when the
     * store does not answer within half a second, which happens on a machine that stands still.
     *
     * @param request begins one with another id each time
     * @return the request whose snapshot was filed
     */
    static RequestSnapshot by(Snapshots production, Supplier<RequestSnapshot> request, Work work) throws Exception {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            long filed = production.counts().of(Outcome.FILED);
            long ended = ended(production);
            RequestSnapshot there = request.get();
            work.on(there);
            there.finish();
            untilEnded(production, ended + 1);
            if (production.counts().of(Outcome.FILED) > filed) {
                return there;
            }
        }
        throw new AssertionError("production gave " + MAX_ATTEMPTS + " snapshots up");
    }

    /** Until so many snapshots are filed or given up. */
    static void untilEnded(Snapshots production, long many) {
        RedisServer.until(many + " snapshots are filed or given up", ENDS_WITHIN, () -> ended(production) >= many);
    }

    /** Snapshots that were ready, however that ended. */
    static long ended(Snapshots production) {
        Counts counts = production.counts();
        return counts.of(Outcome.FILED) + counts.of(Outcome.COLLIDED) + counts.of(Outcome.DROPPED) + counts.of(Outcome.FAILED);
    }
}
