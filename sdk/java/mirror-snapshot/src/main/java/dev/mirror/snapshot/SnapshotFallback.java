package dev.mirror.snapshot;

import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/** Answers reads that no snapshot answers, where {@link OnMiss#FALLBACK} is set. */
@FunctionalInterface
public interface SnapshotFallback {
    /**
     * @param type what the read gives
     * @return a value of that type, or null
     */
    @Nullable Object answer(String name, @Nullable String key, Type type);
}
