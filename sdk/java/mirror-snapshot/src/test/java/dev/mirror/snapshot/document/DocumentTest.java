package dev.mirror.snapshot.document;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

class DocumentTest {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Keeps each digit of a number. */
    private static final ObjectMapper EXACT = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Test
    void the_contracts_snapshots_are_told_apart_and_read() throws IOException {
        int readable = 0;
        for (JsonNode vector : JSON.readTree(Path.of("../../../mirror-contract/vectors/snapshots.json").toFile())) {
            String value = vector.get("value").textValue();
            Filed filed = Document.read(bytes(value));
            String is = filed instanceof Filed.Stamped ? "stamped" : filed instanceof Filed.Collided ? "collided" : "bare";
            assertEquals(vector.get("is").textValue(), is, value);
            assertEquals(vector.get("readable").booleanValue(), filed instanceof Filed.Stamped, value);
            if (filed instanceof Filed.Stamped stamped) {
                readable++;
                same(vector.get("document"), stamped.document());
                // Written again, it is the same document.
                same(vector.get("document"), assertInstanceOf(Filed.Stamped.class, Document.read(stamped.document().bytes())).document());
            }
        }
        assertEquals(6, readable);
    }

    @Test
    void entries_of_lists_are_those_of_the_vectors() throws IOException {
        int entries = 0;
        for (JsonNode vector : JSON.readTree(Path.of("../../../mirror-contract/vectors/numbers.json").toFile())) {
            Filed filed = Document.read(JSON.writeValueAsBytes(vector.get("document")));
            Stamp stamp = assertInstanceOf(Filed.Stamped.class, filed).document().stamp();
            if (!vector.get("entry").isNull()) {
                assertEquals(vector.get("entry"), JSON.readTree(stamp.entry(vector.get("n").textValue())));
                entries++;
            }
        }
        assertTrue(entries > 5, "only " + entries);
    }

    private static void same(JsonNode expect, Document document) throws IOException {
        assertEquals(expect.get("at").longValue(), document.stamp().at());
        assertEquals(expect.has("us") ? expect.get("us").intValue() : null, document.stamp().us());
        assertEquals(expect.get("request").textValue(), document.stamp().request());
        assertEquals(expect.path("body").textValue(), document.stamp().body());
        assertEquals(expect.path("peer").textValue(), document.stamp().peer());
        assertEquals(expect.path("position").textValue(), document.stamp().position());
        assertEquals(expect.path("reads").size(), document.reads().size());
        for (int n = 0; n < document.reads().size(); n++) {
            JsonNode wanted = expect.get("reads").get(n);
            Read read = document.reads().get(n);
            assertEquals(wanted.get("name").textValue(), read.name());
            assertEquals(wanted.get("key").textValue(), read.key());
            assertEquals(wanted.path("error").textValue(), read.error());
            if (read.error() == null) {
                assertEquals(wanted.get("value"), JSON.readTree(read.value()));
            }
        }
    }

    @Test
    void numbers_and_texts_come_back_as_they_were_written() throws IOException {
        List<String> values = List.of("1.50", "12345678901234567890", "0.1", "\"\\u0001 \\\" ä 日本 😀\"", "null", "[true,{}]");
        List<Read> reads = values.stream().map(value -> new Read("na\"me", "ключ", bytes(value), null)).toList();
        Document document = new Document(new Stamp(7, null, "r", null, null, null), reads);
        Document back = assertInstanceOf(Filed.Stamped.class, Document.read(document.bytes())).document();
        for (int n = 0; n < values.size(); n++) {
            assertEquals("na\"me", back.reads().get(n).name());
            assertEquals("ключ", back.reads().get(n).key());
            byte[] value = back.reads().get(n).value();
            assertEquals(EXACT.readTree(values.get(n)), EXACT.readTree(value));
        }
    }

    @Test
    void a_newer_version_says_what_to_do() {
        check("{\"mirror\":2,\"at\":1,\"request\":\"\",\"reads\":[]}", "version 2");
        check("{\"mirror\":1,\"request\":\"\"}", "`at`");
        check("{\"mirror\":1,\"at\":1,\"request\":\"\",\"reads\":[{\"name\":1,\"key\":\"\"}]}", "`name`");
        check("{\"mirror\":1,\"at\":1,\"request\":\"\"} x", "no JSON");
        check("\u0082\u00a6mirror", "no JSON");
    }

    private static void check(String value, String why) {
        Filed.Unreadable unreadable = assertInstanceOf(Filed.Unreadable.class, Document.read(value.getBytes(StandardCharsets.ISO_8859_1)));
        assertTrue(unreadable.why().contains(why), unreadable.why());
    }
}
