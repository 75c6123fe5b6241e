package dev.mirror.snapshot.document;

import org.jspecify.annotations.Nullable;

/**
 * One thing that production read or wrote. Exactly one of value and error is there.
 *
 * @param name what was read
 * @param key of what
 * @param value its JSON, or null where the read failed
 * @param error how it failed, or null
 * @param written the value of a write; null where it is not known, and for a read
 * @param isInside it was done while another one was, of which it is a part
 */
public record Read(String name, String key, byte @Nullable [] value, @Nullable String error, @Nullable Written written,
        boolean isInside) {
    /** What a read gave, or how it failed. */
    public Read(String name, String key, byte @Nullable [] value, @Nullable String error) {
        this(name, key, value, error, null, false);
    }

    /** About what it takes in a document, in bytes. */
    public int size() {
        int given = value != null ? value.length : error != null ? error.length() : 0;
        return 64 + name.length() + key.length() + given + (written == null ? 0 : written.size());
    }
}
