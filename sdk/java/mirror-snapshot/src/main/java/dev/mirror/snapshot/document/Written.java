package dev.mirror.snapshot.document;

import dev.mirror.snapshot.rules.CanonicalJson;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The value of a write, by which production's write is compared with the mirror's.
 *
 * @param digest XXH3-64 of its canonical JSON
 * @param value its canonical JSON; null where that is longer than {@link #LONGEST_VALUE}
 */
public record Written(String digest, byte @Nullable [] value) {
    /** The longest canonical JSON that is filed itself, in bytes. Of a longer one only the digest is filed. */
    public static final int LONGEST_VALUE = 4096;
    /** The longest JSON of a value, in bytes. Nothing is filed of a longer one. */
    public static final int LONGEST_JSON = 1 << 20;

    /** Null where the JSON is null, or has no canonical form. */
    public static @Nullable Written of(byte[] json) {
        String text = CanonicalJson.of(json);
        if (text == null || text.equals("null")) {
            return null;
        }
        byte[] canonical = text.getBytes(StandardCharsets.UTF_8);
        return new Written(Hash.of(canonical), canonical.length <= LONGEST_VALUE ? canonical : null);
    }

    /** About what it takes in a document, in bytes. */
    public int size() {
        return 64 + (value == null ? 0 : value.length);
    }
}
