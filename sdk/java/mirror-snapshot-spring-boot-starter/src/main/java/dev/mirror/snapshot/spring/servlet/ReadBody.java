package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What was read of a request's body for a rule.
 *
 * @param bytes the body, or the beginning of it
 * @param rest what comes behind it; null where that is all
 * @param failure with which the reading ended, or null
 */
record ReadBody(byte[] bytes, @Nullable ServletInputStream rest, @Nullable IOException failure) {
    private static final byte[] NOTHING = new byte[0];

    /** Whether a request has no body at all. */
    static boolean isEmpty(HttpServletRequest request) {
        long length = request.getContentLengthLong();
        return length == 0 || length < 0 && request.getHeader("transfer-encoding") == null
                && request.getProtocol().startsWith("HTTP/1");
    }

    static byte[] nothing() {
        return NOTHING;
    }

    /** Whether a rule may have it: of a known length up to the limit or of none, and not in parts, which servers read themselves. */
    static boolean isFor(HttpServletRequest request, int most) {
        String type = request.getContentType();
        return request.getContentLengthLong() <= most
                && (type == null || !type.toLowerCase(Locale.ROOT).startsWith("multipart/"));
    }

    /** Reads all, or somewhat more than the limit. What fails is kept for whoever reads next. */
    static ReadBody read(HttpServletRequest request, int most) throws IOException {
        ServletInputStream in = request.getInputStream();
        long declared = request.getContentLengthLong();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(declared > 0 ? (int) declared : 1024);
        byte[] piece = new byte[(int) Math.min(8192, declared > 0 ? declared : 8192)];
        try {
            int read;
            while ((read = in.read(piece)) >= 0) {
                bytes.write(piece, 0, read);
                if (bytes.size() > most) {
                    return new ReadBody(bytes.toByteArray(), in, null);
                }
            }
            return new ReadBody(bytes.toByteArray(), null, null);
        } catch (IOException failure) {
            return new ReadBody(bytes.toByteArray(), null, failure);
        }
    }

    /** All of it for the rule; null where it is longer, failed, or somebody had read of it before. */
    byte @Nullable [] whole(long declared) {
        boolean isWhole = rest == null && failure == null && (declared < 0 || declared == bytes.length);
        return isWhole ? bytes : null;
    }
}
