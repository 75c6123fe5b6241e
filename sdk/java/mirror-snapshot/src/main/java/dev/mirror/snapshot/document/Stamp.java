package dev.mirror.snapshot.document;

import org.jspecify.annotations.Nullable;

/**
 * What names the request that a snapshot is of, so that it cannot be taken for another's.
 *
 * @param at when production received the request, milliseconds since the epoch
 * @param us the microseconds of that moment past {@code at}, 0 to 999; null where they are not known
 * @param request {@link Hash#request} of it
 * @param body XXH3-64 of the body, where it was read for the id; else null
 * @param peer the other end of the connection, or null
 * @param position how far the database's log was, or null
 */
public record Stamp(long at, @Nullable Integer us, String request, @Nullable String body, @Nullable String peer, @Nullable String position) {
    /** As it stands in the list of the snapshots of identical requests. */
    public byte[] entry(String number) {
        JsonWriter out = new JsonWriter(192);
        out.text("{\"n\":").string(number).text(",").stamp(this);
        return out.text("}").toByteArray();
    }
}
