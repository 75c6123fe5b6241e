package dev.mirror.snapshot;

/**
 * All that a request reads as one object: {@code UserInfo, Stock, Price → OrderSnapshot}. Production's reads it and has it
 * recorded, the mirror's takes it from there and knows no database.
 *
 * @param <K> what names it: its text or JSON is the key
 * @param <S> the object
 */
@FunctionalInterface
public interface SnapshotStrategy<K, S> {
    /** The object for this key. */
    S snapshot(K key);

    /** Production's: {@code database} reads, {@code source} records. */
    static <K, S> SnapshotStrategy<K, S> recording(
            SnapshotSource source, String name, Class<S> type, SnapshotStrategy<K, S> database) {
        return key -> source.load(name, key, type, () -> database.snapshot(key));
    }

    /** The mirror's: what production recorded, and nothing else. */
    static <K, S> SnapshotStrategy<K, S> serving(SnapshotSource source, String name, Class<S> type) {
        return key -> source.recorded(name, key, type);
    }
}
