package dev.mirror.snapshot;

import java.lang.reflect.Type;

/** Answers reads that no snapshot answers, where {@link OnMiss#FALLBACK} is set. */
@FunctionalInterface
public interface SnapshotFallback {
    /**
     * @param type what the read gives
     * @return a value of that type, or null
     */
    Object answer(String name, String key, Type type);
}
