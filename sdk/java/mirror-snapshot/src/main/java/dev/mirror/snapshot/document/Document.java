package dev.mirror.snapshot.document;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A snapshot as it is filed: whose it is, and what was read, in the order in which production asked for it.
 *
 * <p>Written and read as JSON. A document in MessagePack, which the contract allows too, is unreadable here. The values of writes and
 * what had not ended are for the agent, and are not read here.
 *
 * @param unfinished what had not ended, in the order in which it was asked for
 * @param dropped how many more of those were left out
 */
public record Document(Stamp stamp, List<Read> reads, List<Unfinished> unfinished, int dropped) {
    /** The version of documents that this code writes and reads. */
    public static final int VERSION = 1;

    /** Numbers stay as production wrote them. */
    private static final JsonMapper JSON = JsonMapper.builder()
            .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
            .build();

    /** All had ended. */
    public Document(Stamp stamp, List<Read> reads) {
        this(stamp, reads, List.of(), 0);
    }

    /** As it stands in the store. */
    public byte[] bytes() {
        int size = 256;
        for (Read read : reads) {
            size += read.size();
        }
        for (Unfinished one : unfinished) {
            size += one.size();
        }
        JsonWriter out = new JsonWriter(size);
        out.text("{\"mirror\":1,").stamp(stamp).member("position", stamp.position());
        out.text(",\"reads\":[");
        String separator = "";
        for (Read read : reads) {
            out.text(separator).text("{\"name\":").string(read.name()).text(",\"key\":").string(read.key());
            if (read.error() != null) {
                out.member("error", read.error());
            } else {
                out.text(",\"value\":").writeBytes(read.value());
            }
            out.written(read.written()).text(read.isInside() ? ",\"inside\":true}" : "}");
            separator = ",";
        }
        return rest(out.text("]")).text("}").toByteArray();
    }

    /** After the reads. */
    private JsonWriter rest(JsonWriter out) {
        String separator = ",\"unfinished\":[";
        for (Unfinished one : unfinished) {
            out.text(separator).text("{\"name\":").string(one.name()).text(",\"key\":").string(one.key());
            out.text(",\"at\":").text(Integer.toString(one.at())).written(one.written()).text("}");
            separator = ",";
        }
        out.text(unfinished.isEmpty() ? "" : "]");
        return dropped == 0 ? out : out.text(",\"dropped\":").text(Integer.toString(dropped));
    }

    /** What the bytes under an id are. */
    public static Filed read(byte[] bytes) {
        try {
            JsonNode root = JSON.readTree(bytes);
            if (root == null || !root.isObject()) {
                return new Filed.Unreadable("it is no JSON object");
            }
            return read(root);
        } catch (IOException notJson) {
            return new Filed.Unreadable("it is no JSON");
        }
    }

    private static Filed read(JsonNode root) throws IOException {
        JsonNode version = root.path("mirror");
        if (version.isIntegralNumber() && root.path("collided").asBoolean()) {
            return new Filed.Collided();
        }
        if (!version.isIntegralNumber()) {
            return new Filed.Unreadable("it has no `mirror`: no snapshot document stands there");
        }
        if (version.asLong() != VERSION) {
            return new Filed.Unreadable("it is of version " + version.asText() + ", this service reads version " + VERSION
                    + ": bring both to one version");
        }
        JsonNode at = root.path("at");
        JsonNode request = root.path("request");
        if (!at.isIntegralNumber() || !request.isTextual()) {
            return new Filed.Unreadable("it lacks `at` or `request`");
        }
        List<Read> reads = new ArrayList<>();
        for (JsonNode entry : root.path("reads")) {
            if (!entry.path("name").isTextual() || !entry.path("key").isTextual()) {
                return new Filed.Unreadable("one of its reads lacks `name` or `key`");
            }
            JsonNode error = entry.path("error");
            boolean failed = error.isTextual();
            // Without value and error it gave null.
            byte[] value = failed ? null : JSON.writeValueAsBytes(entry.get("value"));
            reads.add(new Read(entry.get("name").textValue(), entry.get("key").textValue(), value, failed ? error.textValue() : null, null,
                    entry.path("inside").asBoolean()));
        }
        Stamp stamp = new Stamp(at.asLong(), microseconds(root), request.textValue(), text(root, "body"), text(root, "peer"), text(root, "position"));
        return new Filed.Stamped(new Document(stamp, List.copyOf(reads)));
    }

    private static @Nullable Integer microseconds(JsonNode root) {
        JsonNode us = root.path("us");
        return us.isIntegralNumber() && us.canConvertToInt() ? (Integer) us.intValue() : null;
    }

    private static String text(JsonNode root, String member) {
        return root.path(member).textValue();
    }
}
