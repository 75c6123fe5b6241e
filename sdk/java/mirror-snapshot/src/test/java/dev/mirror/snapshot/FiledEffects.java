package dev.mirror.snapshot;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.function.Function;

/** What mirrors file of requests, in the store of {@link WithStore}. */
final class FiledEffects {
    private static final ObjectMapper JSON = new ObjectMapper();

    private FiledEffects() {}

    static RequestSnapshot replayed(Snapshots to, String send, String id) {
        return to.begin(Sent.get("/stock").with(Headers.REQUEST_ID, id).with(Headers.SEND, send), null);
    }

    /** What a mirror filed of a request for which this was done. */
    static JsonNode effects(Snapshots mirror, String id, Recorded.Work work) throws Exception {
        String send = filed(mirror, named -> replayed(mirror, named, id), work);
        return JSON.readTree(WithStore.redis.ask("GET", "effects/" + send + ":" + id));
    }

    /**
     * Does the work for a request and ends it, and again where the store did not take its effects in time.
     *
     * @param request begins one with this send
     * @return the send whose effects were filed
     */
    static String filed(Snapshots mirror, Function<String, RequestSnapshot> request, Recorded.Work work) throws Exception {
        for (int attempt = 0; attempt < WithStore.MAX_ATTEMPTS; attempt++) {
            String send = "0f3a_c." + attempt;
            long filed = mirror.counts().of(Outcome.EFFECTS_FILED);
            long ended = ended(mirror);
            RequestSnapshot here = request.apply(send);
            assertTrue(here.filesEffects());
            work.on(here);
            here.finish();
            WithStore.until("the effects are filed or given up", () -> ended(mirror) > ended);
            if (mirror.counts().of(Outcome.EFFECTS_FILED) > filed) {
                return send;
            }
        }
        throw new AssertionError("the mirror gave " + WithStore.MAX_ATTEMPTS + " documents up");
    }

    /** Documents that were ready, however that ended. */
    static long ended(Snapshots mirror) {
        Counts counts = mirror.counts();
        return counts.of(Outcome.EFFECTS_FILED) + counts.of(Outcome.EFFECTS_FAILED) + counts.of(Outcome.EFFECTS_DROPPED);
    }
}
