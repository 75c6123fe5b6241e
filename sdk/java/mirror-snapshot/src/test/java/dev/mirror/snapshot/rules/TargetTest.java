package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.mirror.snapshot.document.Hash;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.jupiter.api.Test;

class TargetTest {
    /** A character for each byte; null where there is nothing. */
    private static String bytes(JsonNode coded) {
        return coded.isNull() ? null : new String(Base64.getDecoder().decode(coded.textValue()), StandardCharsets.ISO_8859_1);
    }

    @Test
    void the_parts_of_targets_are_those_of_the_vectors() throws IOException {
        JsonNode vectors = Vectors.read("targets.json");
        for (JsonNode vector : vectors) {
            String method = vector.get("method").textValue();
            String text = bytes(vector.get("target"));
            Target target = new Target(method, text);
            assertEquals(bytes(vector.get("path")), target.path(), vector.toString());
            assertEquals(bytes(vector.get("query")), target.query(), vector.toString());
            assertEquals(bytes(vector.get("authority")), target.authority(), vector.toString());
            assertEquals(vector.get("request").textValue(), Hash.request(method, text), vector.toString());
        }
        assertTrue(vectors.size() > 40, "only " + vectors.size());
    }

    @Test
    void text_of_a_server_that_decodes_it_is_the_same_target() {
        String decoded = "/search?q=\u4e2d\u6587";
        String bytes = new String(decoded.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
        assertEquals(new Target("GET", bytes).query(), new Target("GET", decoded).query());
    }
}
