package dev.mirror.snapshot.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.rules.Vectors;
import java.io.IOException;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class KeysTest {
    @Test
    void keys_are_those_of_the_vectors() throws IOException {
        JsonNode vectors = Vectors.read("keys.json");
        for (JsonNode vector : vectors) {
            Keys plain = new Keys(vector.get("prefix").textValue());
            String namespace = vector.get("namespace").textValue();
            Optional<Keys> keys = namespace == null ? Optional.of(plain) : plain.within(namespace);
            RequestId id = new RequestId(vector.get("id").textValue());
            assertEquals(Optional.ofNullable(vector.get("key").textValue()), keys.map(k -> k.key(id)), vector.toString());
        }
        assertTrue(vectors.size() > 30, "only " + vectors.size());
    }

    @Test
    void numbered_ids_and_their_lists_are_those_of_the_vectors() throws IOException {
        JsonNode vectors = Vectors.read("numbers.json");
        for (JsonNode vector : vectors) {
            Keys keys = new Keys(vector.get("prefix").textValue());
            RequestId derived = new RequestId(vector.get("derived").textValue());
            Optional<RequestId> id = derived.numbered(vector.get("n").textValue());
            assertEquals(Optional.ofNullable(vector.get("id").textValue()), id.map(RequestId::text));
            assertEquals(Optional.ofNullable(vector.get("key").textValue()), id.map(keys::key));
            String list = keys.list(derived, vector.get("document").get("at").longValue());
            assertEquals(Optional.ofNullable(vector.get("list").textValue()), id.map(numbered -> list));
        }
        assertTrue(vectors.size() > 7, "only " + vectors.size());
    }

    @Test
    void effects_stand_beside_snapshots_where_the_vectors_say() throws IOException {
        int keys = 0;
        for (JsonNode vector : Vectors.read("effects.json")) {
            if (vector.has("key")) {
                JsonNode key = vector.get("key");
                Optional<String> made = new Keys(key.get("prefix").textValue())
                        .effects(key.get("send").textValue(), new RequestId(key.get("id").textValue()));
                assertEquals(Optional.ofNullable(key.get("key").textValue()), made, key.toString());
                keys++;
            }
        }
        assertTrue(keys > 30, "only " + keys);
    }

    @Test
    void a_namespace_cannot_be_taken_for_an_id() {
        Keys keys = new Keys("shop:");
        assertEquals("shop:snapshot:run:7", keys.key(new RequestId("run:7")));
        assertEquals("shop:snapshot/run:7", keys.within("run").orElseThrow().key(new RequestId("7")));
        for (String none : new String[] {"", "a:b", "a/b", "a b", "ä", "x".repeat(65)}) {
            assertEquals(Optional.empty(), keys.within(none), none);
        }
    }

    @Test
    void one_namespace_is_not_inside_of_another() {
        Keys first = new Keys("").within("one").orElseThrow();
        assertEquals("snapshot/two:a", first.within("two").orElseThrow().key(new RequestId("a")));
        assertEquals(Optional.of("effects/s:a"), first.effects("s", new RequestId("a")));
    }
}
