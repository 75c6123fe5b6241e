package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.util.JsonRecyclerPools;
import java.io.IOException;

/** JSON as RFC 8259 has it and nothing beside: of any length, 127 levels deep. */
final class Json {
    private static final int DEEPEST = 127;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            // Bodies are of any length that their reader let through, and names in them are a stranger's: none is kept.
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(DEEPEST)
                    .maxNumberLength(Integer.MAX_VALUE)
                    .maxStringLength(Integer.MAX_VALUE)
                    .maxNameLength(Integer.MAX_VALUE)
                    .build())
            .configure(JsonFactory.Feature.INTERN_FIELD_NAMES, false)
            .configure(JsonFactory.Feature.CANONICALIZE_FIELD_NAMES, false)
            .configure(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW, false)
            // Buffers by thread would be as many as there are virtual threads; these are at most some megabytes.
            .recyclerPool(JsonRecyclerPools.newBoundedPool(16))
            .build();

    private Json() {}

    static JsonParser parser(String text) throws IOException {
        return FACTORY.createParser(text);
    }

    /** Whether an escape is half of a surrogate pair without the other half. Of text that is UTF-8 no character is. */
    static boolean hasLoneSurrogate(String text) {
        int at = text.indexOf('\\');
        while (at >= 0) {
            int code = escaped(text, at);
            int length = code < 0 ? 2 : 6;
            if (isHigh(code) && isLow(escaped(text, at + 6))) {
                length = 12;
            } else if (isHigh(code) || isLow(code)) {
                return true;
            }
            at = text.indexOf('\\', at + length);
        }
        return false;
    }

    private static boolean isHigh(int code) {
        return code >= Character.MIN_HIGH_SURROGATE && code <= Character.MAX_HIGH_SURROGATE;
    }

    private static boolean isLow(int code) {
        return code >= Character.MIN_LOW_SURROGATE && code <= Character.MAX_LOW_SURROGATE;
    }

    /** The code of an escape as in {@code \}{@code u00e4}; negative where there is none. */
    private static int escaped(String text, int at) {
        if (!text.startsWith("\\u", at) || at + 6 > text.length()) {
            return -1;
        }
        int code = 0;
        for (int digit = at + 2; digit < at + 6; digit++) {
            code = code << 4 | Character.digit(text.charAt(digit), 16);
        }
        return code;
    }
}
