package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import java.net.http.HttpRequest.BodyPublishers;

/** The writes of a service and of its mirror, each of which answers {@code POST /write}. */
public final class FiledWrites {
    private FiledWrites() {}

    /** @param last the name of the last write, which does not say what it writes */
    public static void areToldAlike(Pair pair, String last) {
        Recorded<Answer> first = pair.recorded((service, id) -> service.request("/write", "x-id", id).POST(BodyPublishers.noBody()));
        Effects<Answer> effects = Effects.by(pair, first.id(),
                send -> pair.replayed(first, service -> service.request("/write", Headers.SEND, send).POST(BodyPublishers.noBody())));
        assertEquals(first.given().text(), effects.given().text());
        assertEquals("1", effects.given().header(Headers.EFFECTS));
        String[] parts = effects.list().split("(?<=}),(?=\\{\"(read|write)\")");
        assertEquals(3, parts.length, effects.document());
        // Production said the same.
        assertTrue(parts[0].startsWith("{\"write\":\"order\",\"key\":\"1\",\"written\":{") && parts[0].endsWith(",\"value\":{\"pieces\":3}}}"), parts[0]);
        assertTrue(first.document().contains(parts[0].replaceFirst(".*\"written\"", "\"written\"")), first.document());
        assertTrue(parts[1].startsWith("{\"write\":\"reserve\",\"key\":\"a\",\"written\":{") && parts[1].endsWith(",\"value\":3}}"), parts[1]);
        assertTrue(first.document().contains(parts[1].replaceFirst(".*\"written\"", "\"written\"")), first.document());
        assertEquals("{\"write\":\"" + last + "\",\"key\":\"b\"}", parts[2]);
        // Nobody asked.
        Answer plain = pair.replayed(first, service -> service.request("/write").POST(BodyPublishers.noBody()));
        assertNull(plain.header(Headers.EFFECTS));
        assertNull(pair.production().get("/nothing-read", Effects.headers(first.id(), "run-c")).header(Headers.EFFECTS));
    }
}
