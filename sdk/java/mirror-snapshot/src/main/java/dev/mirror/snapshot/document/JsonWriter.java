package dev.mirror.snapshot.document;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** JSON, put together of parts. */
final class JsonWriter extends ByteArrayOutputStream {
    JsonWriter(int size) {
        super(size);
    }

    JsonWriter text(String ascii) {
        writeBytes(ascii.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    JsonWriter string(String text) {
        write('"');
        writeBytes(JsonStringEncoder.getInstance().quoteAsUTF8(text));
        write('"');
        return this;
    }

    /** After another member; nothing where there is no value. */
    JsonWriter member(String name, @Nullable String value) {
        return value == null ? this : text(",\"").text(name).text("\":").string(value);
    }

    /** The same of a write's value. */
    JsonWriter written(@Nullable Written written) {
        if (written == null) {
            return this;
        }
        text(",\"written\":{\"digest\":").string(written.digest());
        if (written.value() != null) {
            text(",\"value\":").writeBytes(written.value());
        }
        return text("}");
    }

    /** What documents and lists say of a request, without braces. */
    JsonWriter stamp(Stamp stamp) {
        text("\"at\":").text(Long.toString(stamp.at()));
        if (stamp.us() != null) {
            text(",\"us\":").text(stamp.us().toString());
        }
        return text(",\"request\":").string(stamp.request()).member("body", stamp.body()).member("peer", stamp.peer());
    }
}
