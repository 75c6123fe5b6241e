package dev.mirror.snapshot.document;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.mirror.snapshot.rules.Vectors;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class EffectsTest {
    /** Keeps each digit of a number. */
    private static final ObjectMapper EXACT = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** The contract's vectors of one kind. */
    private static List<JsonNode> vectors(String kind) throws IOException {
        List<JsonNode> vectors = new ArrayList<>();
        Vectors.read("effects.json").forEach(vector -> {
            if (vector.has(kind)) {
                vectors.add(vector.get(kind));
            }
        });
        return vectors;
    }

    /** As a vector has it; null where that is null or missing. */
    private static @Nullable Written written(@Nullable JsonNode member) throws IOException {
        if (member == null || member.isNull()) {
            return null;
        }
        JsonNode value = member.get("value");
        return new Written(member.get("digest").textValue(), value == null ? null : EXACT.writeValueAsBytes(value));
    }

    @Test
    void what_is_written_has_the_digest_and_the_value_of_the_vectors() throws IOException {
        List<JsonNode> vectors = vectors("written");
        for (JsonNode vector : vectors) {
            String json = vector.get("json").textValue();
            Written made = Written.of(bytes(json));
            JsonNode expected = vector.get("written");
            assertEquals(expected.isNull(), made == null, json);
            if (made != null) {
                assertEquals(expected.get("digest").textValue(), made.digest(), json);
                assertEquals(expected.has("value"), made.value() != null, json);
            }
            if (made != null && made.value() != null) {
                assertEquals(vector.get("canonical").textValue(), new String(made.value(), StandardCharsets.UTF_8));
            }
        }
        assertTrue(vectors.size() > 40, "only " + vectors.size());
    }

    @Test
    void documents_are_those_of_the_vectors() throws IOException {
        int documents = 0;
        for (JsonNode vector : vectors("document")) {
            if (vector.get("dropped").intValue() > 0 || vector.get("effects").isNull()) {
                // Only the agent reads documents.
                continue;
            }
            Effects effects = new Effects();
            for (JsonNode effect : vector.get("effects")) {
                if (effect.has("read")) {
                    effects.read(effect.get("read").textValue(), effect.get("key").textValue());
                } else {
                    effects.write(effect.get("write").textValue(), effect.get("key").textValue(), written(effect.get("written")));
                }
            }
            ObjectNode expected = EXACT.createObjectNode().put("mirror", 1);
            expected.set("effects", vector.get("effects"));
            assertEquals(expected, EXACT.readTree(effects.bytes()));
            documents++;
        }
        assertTrue(documents > 5, "only " + documents);
    }

    @Test
    void production_says_of_a_write_what_the_vectors_say() throws IOException {
        List<JsonNode> vectors = vectors("snapshot");
        for (JsonNode vector : vectors) {
            String value = vector.get("value").textValue();
            Document read = assertInstanceOf(Filed.Stamped.class, Document.read(bytes(value))).document();
            Read plain = read.reads().get(0);
            Read write = new Read(plain.name(), plain.key(), plain.value(), plain.error(), written(vector.get("written")), false);
            assertEquals(EXACT.readTree(value), EXACT.readTree(new Document(read.stamp(), List.of(write)).bytes()), value);
        }
        assertTrue(vectors.size() > 2, "only " + vectors.size());
    }

    @Test
    void what_is_written_is_filed_with_its_canonical_value() throws IOException {
        Effects effects = new Effects();
        effects.write("boo\"k", "ключ", Written.of(bytes("{ \"b\":1.50, \"a\":[1e2,12345678901234567890] }")));
        assertEquals("{\"mirror\":1,\"effects\":[{\"write\":\"boo\\\"k\",\"key\":\"ключ\",\"written\":{\"digest\":\""
                + Hash.of(bytes("{\"a\":[100,12345678901234567890],\"b\":1.5}"))
                + "\",\"value\":{\"a\":[100,12345678901234567890],\"b\":1.5}}}]}", new String(effects.bytes(), StandardCharsets.UTF_8));
    }

    @Test
    void after_the_first_that_does_not_fit_none_is_filed_and_all_are_counted() throws IOException {
        for (String key : List.of("k", "ключ", "\"\n\u0001")) {
            Effects effects = new Effects();
            Written written = Written.of(bytes("\"" + "x".repeat(3000) + "\""));
            assertNotNull(written);
            for (int n = 0; n < 100; n++) {
                effects.write("write " + n, key, written);
            }
            // Would fit.
            effects.read("small", "");
            byte[] document = effects.bytes();
            assertTrue(document.length <= Effects.LARGEST && document.length > Effects.LARGEST - 4000, document.length + " bytes");
            JsonNode filed = EXACT.readTree(document);
            ArrayNode listed = assertInstanceOf(ArrayNode.class, filed.get("effects"));
            assertEquals(101, listed.size() + filed.get("dropped").intValue());
            assertEquals("write " + (listed.size() - 1), listed.get(listed.size() - 1).get("write").textValue());
            assertEquals(filed.get("dropped").intValue(), effects.dropped());
        }
    }
}
