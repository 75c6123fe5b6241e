package dev.mirror.snapshot.spring;

import java.util.Set;

/** What a service asks for that cannot be done, for its health. */
@FunctionalInterface
public interface SnapshotMisuses {
    /** One line for each: what, why, and what to do. */
    Set<String> misuses();
}
