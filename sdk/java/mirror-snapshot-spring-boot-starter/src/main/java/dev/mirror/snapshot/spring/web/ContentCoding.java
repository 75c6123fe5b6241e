package dev.mirror.snapshot.spring.web;

import dev.mirror.snapshot.rules.RequestFields;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.zip.GZIPInputStream;
import java.util.zip.Inflater;
import java.util.zip.InflaterInputStream;
import org.jspecify.annotations.Nullable;

/** A request's body without its content-coding, for rules. */
public final class ContentCoding {
    private static final int MOST_CODINGS = 4;

    private ContentCoding() {}

    /**
     * @param body as sent, or null
     * @param most bytes of the decoded body
     * @return null where a coding is none of {@code gzip}, {@code x-gzip} and {@code deflate}, where the body is not what it
     *     is said to be, or is longer than that when decoded
     */
    public static byte @Nullable [] decoded(RequestFields request, byte @Nullable [] body, int most) {
        if (body == null || body.length == 0 || request.header("content-encoding", 0) == null) {
            return body;
        }
        List<String> codings = codings(request);
        if (codings.size() > MOST_CODINGS) {
            return null;
        }
        byte[] decoded = body;
        // They stand in the order in which they were applied.
        for (int i = codings.size() - 1; i >= 0 && decoded != null; i--) {
            decoded = decoded(codings.get(i), decoded, most);
        }
        return decoded;
    }

    private static List<String> codings(RequestFields request) {
        List<String> codings = new ArrayList<>(1);
        String value;
        for (int i = 0; (value = request.header("content-encoding", i)) != null; i++) {
            for (String name : value.split(",")) {
                String coding = name.trim().toLowerCase(Locale.ROOT);
                if (!coding.isEmpty() && !coding.equals("identity")) {
                    codings.add(coding);
                }
            }
        }
        return codings;
    }

    private static byte @Nullable [] decoded(String coding, byte[] body, int most) {
        return switch (coding) {
            case "gzip", "x-gzip" -> read(() -> new GZIPInputStream(new ByteArrayInputStream(body)), most);
            case "deflate" -> deflated(body, most);
            default -> null;
        };
    }

    /** Meant is the zlib format; some send what is inside of it. */
    private static byte @Nullable [] deflated(byte[] body, int most) {
        byte[] decoded = inflated(body, most, false);
        return decoded != null ? decoded : inflated(body, most, true);
    }

    private static byte @Nullable [] inflated(byte[] body, int most, boolean bare) {
        Inflater inflater = new Inflater(bare);
        try {
            return read(() -> new InflaterInputStream(new ByteArrayInputStream(body), inflater), most);
        } finally {
            inflater.end();
        }
    }

    private interface Opening {
        InputStream open() throws IOException;
    }

    private static byte @Nullable [] read(Opening opening, int most) {
        try (InputStream in = opening.open()) {
            byte[] decoded = in.readNBytes(most + 1);
            return decoded.length > most ? null : decoded;
        } catch (IOException damaged) {
            return null;
        }
    }
}
