package dev.mirror.snapshot.document;

import org.jspecify.annotations.Nullable;

/**
 * One thing that production read. Exactly one of value and error is there.
 *
 * @param name what was read
 * @param key of what
 * @param value its JSON, or null where the read failed
 * @param error how it failed, or null
 */
public record Read(String name, String key, byte @Nullable [] value, @Nullable String error) {
    /** About what it takes in a document, in bytes. */
    public int size() {
        return 64 + name.length() + key.length() + (value != null ? value.length : error != null ? error.length() : 0);
    }
}
