package dev.mirror.snapshot.document;

import org.jspecify.annotations.Nullable;

/**
 * A read or a write that production asked for and that had not ended when the document was filed.
 *
 * @param at how many of the document's reads were asked for before it
 * @param written the value of a write; null where it is not known, and for a read
 */
public record Unfinished(String name, String key, int at, @Nullable Written written) {
    /** About what it takes in a document, in bytes. */
    public int size() {
        return 64 + name.length() + key.length() + (written == null ? 0 : written.size());
    }
}
