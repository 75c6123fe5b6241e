package dev.mirror.snapshot.rules;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Percent-encoding of text whose characters are bytes: {@code %XX} is a byte, a {@code %} without two hex digits stays as it is. */
final class Percent {
    private Percent() {}

    /** Null where what comes out is no UTF-8. */
    static @Nullable String decoded(String text) {
        return text.indexOf('%') < 0 ? Utf8.ofBytes(text) : undone(text);
    }

    /** The same where {@code +} is a space. */
    static @Nullable String formDecoded(String text) {
        return decoded(text.replace('+', ' '));
    }

    private static @Nullable String undone(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.ISO_8859_1);
        int length = 0;
        for (int at = 0; at < bytes.length; at++) {
            int value = bytes[at] == '%' && at + 2 < bytes.length ? hex(bytes[at + 1]) << 4 | hex(bytes[at + 2]) : -1;
            bytes[length++] = value < 0 ? bytes[at] : (byte) value;
            at += value < 0 ? 0 : 2;
        }
        return Utf8.text(bytes, length);
    }

    /** Negative where it is no hex digit. */
    private static int hex(byte digit) {
        return Character.digit((char) (digit & 0xff), 16);
    }
}
