package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.mirror.snapshot.RequestId;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class IdVectorsTest {
    @Test
    void ids_are_those_of_the_vectors() throws IOException {
        List<String> wrong = new ArrayList<>();
        JsonNode vectors = Vectors.read("ids.json");
        for (JsonNode vector : vectors) {
            IdRules rules = IdRules.parse(texts(vector.get("rules")));
            Sent request = Sent.of(vector.get("request"));
            Sent response = vector.has("response") ? Sent.of(vector.get("response")) : null;
            long seconds = vector.get("seconds").longValue();
            Candidates candidates = rules.candidates(request, response, seconds, vector.get("skew").longValue());
            List<String> ids = candidates.ids().stream().map(RequestId::text).toList();
            if (!ids.equals(texts(vector.get("ids"))) || candidates.counted() != vector.get("counted").booleanValue()) {
                wrong.add(vector.get("name") + ": " + candidates + " instead of " + vector.get("ids"));
            }
            Derivation derived = rules.derive(request, response, seconds);
            assertEquals(ids.stream().findFirst(), derived.id().map(RequestId::text));
            assertEquals(ids.isEmpty(), derived.reason() != null, vector.get("name").asText());
        }
        assertEquals(List.of(), wrong);
        assertTrue(vectors.size() > 700, "only " + vectors.size());
    }

    @Test
    void rules_are_refused_with_words_that_help() throws IOException {
        for (JsonNode text : Vectors.read("rules.json")) {
            RuleException refused = assertThrows(RuleException.class, () -> IdRules.parse(List.of(text.textValue())), text.textValue());
            assertTrue(refused.getMessage().contains("response-header:NAME"), refused.getMessage());
            assertTrue(refused.getMessage().contains("`" + text.textValue().strip() + "`"), refused.getMessage());
        }
    }

    static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(text -> texts.add(text.textValue()));
        return texts;
    }
}
