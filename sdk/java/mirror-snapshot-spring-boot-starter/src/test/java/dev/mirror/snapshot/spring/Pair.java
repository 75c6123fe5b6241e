package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.SnapshotState;
import dev.mirror.snapshot.Snapshots;
import java.net.http.HttpRequest;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.function.Function;

/** A service in production and its mirror, with the shared store between them. */
public record Pair(Redis redis, Service production, Service mirror) implements AutoCloseable {
    private static final int MAX_REPLAYS = 20;
    /** What a mirror tells of a snapshot that is in the store, when the store did not answer its first look. */
    private static final Set<String> STORE_STOOD_STILL =
            Set.of(SnapshotState.LATE.text(), SnapshotState.MISSING.text(), SnapshotState.UNAVAILABLE.text());

    /**
     * Sends a request to production and, when its snapshot is there, replays it to the mirror as the agent does.
     *
     * @return the mirror's answer, which is production's
     */
    public Answer same(String target) {
        return same((service, id) -> service.request(target, "x-id", id).GET());
    }

    /** The same of a request that has this id. */
    public Answer same(BiFunction<Service, String, HttpRequest.Builder> request) {
        Recorded<Answer> first = recorded(request);
        Answer second = replayed(first, service -> request.apply(service, first.id()));
        assertEquals(first.given().status(), second.status(), first + " / " + second);
        assertEquals(first.given().text(), second.text(), first + " / " + second);
        assertEquals(first.given().header(Headers.REQUEST_ID), second.header(Headers.REQUEST_ID));
        return second;
    }

    /** Production's answer to a request that has this id. */
    public Recorded<Answer> recorded(BiFunction<Service, String, HttpRequest.Builder> request) {
        return Recorded.by(production.bean(Snapshots.class), id -> production.send(request.apply(production, id)));
    }

    /** Production's answer to a request that production names in its answer. */
    public Recorded<Answer> told(String target) {
        return Recorded.by(production.bean(Snapshots.class), () -> production.get(target), answer -> answer.header(Headers.REQUEST_ID));
    }

    /** The mirror's answer to the request that production answered so. */
    public Answer replayed(Recorded<Answer> first, Function<Service, HttpRequest.Builder> request) {
        String at = first.document().replaceAll(".*\"at\":(\\d+).*", "$1");
        Answer answer = null;
        for (int i = 0; i < MAX_REPLAYS; i++) {
            answer = mirror.send(request.apply(mirror).header(Headers.REQUEST_ID, first.id()).header(Headers.CAPTURED_AT, at)
                    .header(Headers.REPLAY, "1"));
            if (!STORE_STOOD_STILL.contains(String.valueOf(answer.header(Headers.SNAPSHOT)))) {
                break;
            }
        }
        return answer;
    }

    @Override
    public void close() {
        production.close();
        mirror.close();
    }
}
