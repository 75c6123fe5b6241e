package dev.mirror.snapshot.rules;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Bytes as text, where they are exactly UTF-8. */
final class Utf8 {
    private static final char REPLACEMENT = '\ufffd';

    private Utf8() {}

    /** Null where the bytes are no UTF-8. */
    static @Nullable String text(byte[] bytes) {
        return text(bytes, bytes.length);
    }

    static @Nullable String text(byte[] bytes, int length) {
        // Several times as fast as a decoder; what it replaced, or was sent so, is looked at a second time.
        String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
        return text.indexOf(REPLACEMENT) < 0 ? text : exact(bytes, length);
    }

    /**
     * Of text whose characters are bytes; null where they are not UTF-8.
     *
     * @param bytes of U+0000 to U+00FF
     */
    static @Nullable String ofBytes(String bytes) {
        return isAscii(bytes) ? bytes : text(bytes.getBytes(StandardCharsets.ISO_8859_1));
    }

    /** Text whose characters are bytes: as it is where they can be, and else that of its UTF-8. */
    static String bytes(String text) {
        for (int at = 0; at < text.length(); at++) {
            if (text.charAt(at) > 0xff) {
                return encoded(text);
            }
        }
        return text;
    }

    /** The bytes of its UTF-8 as characters. */
    static String encoded(String text) {
        return isAscii(text) ? text : new String(text.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
    }

    private static boolean isAscii(String text) {
        for (int at = 0; at < text.length(); at++) {
            if (text.charAt(at) > 0x7f) {
                return false;
            }
        }
        return true;
    }

    private static @Nullable String exact(byte[] bytes, int length) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length)).toString();
        } catch (CharacterCodingException none) {
            return null;
        }
    }
}
