package dev.mirror.snapshot.document;

/**
 * What names the request that a snapshot is of, so that it cannot be taken for another's.
 *
 * @param at when production received the request, milliseconds since the epoch
 * @param request {@link Hash#request} of it
 * @param body XXH3-64 of the body, where it was read for the id; else null
 * @param peer the other end of the connection, or null
 * @param position how far the database's log was, or null
 */
public record Stamp(long at, String request, String body, String peer, String position) {}
