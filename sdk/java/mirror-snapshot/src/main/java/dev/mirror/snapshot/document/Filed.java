package dev.mirror.snapshot.document;

/** What stands in the store under an id. */
public sealed interface Filed {
    /** A snapshot that this code reads. */
    record Stamped(Document document) implements Filed {}

    /** Several requests had this id. */
    record Collided() implements Filed {}

    /** Something else: a snapshot of a newer version, or no snapshot at all. */
    record Unreadable(String why) implements Filed {}
}
