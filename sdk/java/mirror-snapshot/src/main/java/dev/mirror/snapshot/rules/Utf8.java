package dev.mirror.snapshot.rules;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/** Bytes as text, where they are exactly UTF-8. */
final class Utf8 {
    private static final char REPLACEMENT = '\ufffd';

    private Utf8() {}

    /** Null where the bytes are no UTF-8. */
    static String text(byte[] bytes) {
        return text(bytes, bytes.length);
    }

    static String text(byte[] bytes, int length) {
        // Several times as fast as a decoder; what it replaced, or was sent so, is looked at a second time.
        String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
        return text.indexOf(REPLACEMENT) < 0 ? text : exact(bytes, length);
    }

    private static String exact(byte[] bytes, int length) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, 0, length)).toString();
        } catch (CharacterCodingException none) {
            return null;
        }
    }
}
