package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import dev.mirror.snapshot.Headers;
import java.net.http.HttpRequest;
import java.util.UUID;
import java.util.function.Function;

/** A service in production and its mirror, with one store between them. */
public record Pair(Redis redis, Service production, Service mirror) implements AutoCloseable {
    /**
     * Sends a request to production and, when its snapshot is there, replays it to the mirror as the agent does.
     *
     * @return the mirror's answer, which is production's
     */
    public Answer same(String target) {
        try {
            return Waiting.again(() -> {
                String id = UUID.randomUUID().toString();
                return same(service -> service.request(target, "x-id", id).GET());
            });
        } catch (Exception error) {
            throw new AssertionError(error);
        }
    }

    public Answer same(Function<Service, HttpRequest.Builder> request) {
        Answer first = production.send(request.apply(production));
        Answer second = replayed(first, request);
        assertEquals(first.status(), second.status(), first + " / " + second);
        assertEquals(first.text(), second.text(), first + " / " + second);
        assertEquals(first.header(Headers.REQUEST_ID), second.header(Headers.REQUEST_ID));
        return second;
    }

    /** The mirror's answer to the request that production answered so. */
    public Answer replayed(Answer first, Function<Service, HttpRequest.Builder> request) {
        String id = first.header(Headers.REQUEST_ID);
        assertNotNull(id, () -> "no id: " + first);
        String document = document(id);
        String at = document.replaceAll(".*\"at\":(\\d+).*", "$1");
        return mirror.send(request.apply(mirror).header(Headers.REQUEST_ID, id).header(Headers.CAPTURED_AT, at)
                .header(Headers.REPLAY, "1"));
    }

    /** What production filed under an id. */
    public String document(String id) {
        return Waiting.found("the snapshot of " + id, () -> redis.get("snapshot:" + id));
    }

    @Override
    public void close() {
        production.close();
        mirror.close();
    }
}
