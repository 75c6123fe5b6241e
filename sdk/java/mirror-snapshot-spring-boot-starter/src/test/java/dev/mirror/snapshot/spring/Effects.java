package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import java.util.UUID;
import java.util.function.Function;

/**
 * What a mirror filed of a request that was sent to it.
 *
 * @param given what it answered
 */
public record Effects<T>(T given, String document) {
    private static final int MAX_ATTEMPTS = 20;

    /** A read of this name and key, as it stands there. */
    public static String read(String name, String key) {
        return "{\"read\":\"" + name + "\",\"key\":\"" + key + "\"}";
    }

    /** The list alone. */
    public String list() {
        return document.replaceFirst("^\\{\"mirror\":1,\"effects\":\\[(.*)]}$", "$1");
    }

    /** Of a request that the mirror answers. */
    public static Effects<Answer> by(Pair pair, String id, Function<String, Answer> request) {
        return by(pair.mirror().bean(Snapshots.class), id, request);
    }

    /**
     * Does it, and again where the store did not take in time what the mirror filed.
     *
     * @param request sends it with the send that it gets
     */
    public static <T> Effects<T> by(Snapshots mirror, String id, Function<String, T> request) {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            String send = UUID.randomUUID().toString();
            String key = "effects/" + send + ":" + id;
            long before = givenUp(mirror);
            T given = request.apply(send);
            Waiting.until(key + " is filed or given up", () -> Redis.shared().get(key) != null || givenUp(mirror) > before);
            String document = Redis.shared().get(key);
            if (document != null) {
                return new Effects<>(given, document);
            }
        }
        throw new AssertionError("the mirror gave " + MAX_ATTEMPTS + " documents up");
    }

    private static long givenUp(Snapshots mirror) {
        return mirror.counts().of(Outcome.EFFECTS_FAILED) + mirror.counts().of(Outcome.EFFECTS_DROPPED);
    }

    /** Headers of a replayed request that is sent so. */
    public static String[] headers(String id, String send) {
        return new String[] {Headers.REQUEST_ID, id, Headers.SEND, send};
    }
}
