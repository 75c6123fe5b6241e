package dev.mirror.snapshot;

import dev.mirror.snapshot.store.RedisServer;
import dev.mirror.snapshot.store.WaitOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;

/** A real store, and services that use it. */
abstract class WithStore {
    static final Duration ENDS_WITHIN = Duration.ofSeconds(30);
    static final int MAX_ATTEMPTS = 20;
    /** For what comes in the end, however often the store does not answer. */
    static final WaitOptions PATIENT = new WaitOptions(ENDS_WITHIN, Duration.ofMillis(20), Integer.MAX_VALUE);
    static RedisServer redis;

    private final List<Snapshots> opened = new ArrayList<>();

    @BeforeAll
    static void start() {
        redis = RedisServer.start();
    }

    @AfterAll
    static void stop() {
        redis.close();
    }

    @AfterEach
    void close() {
        opened.forEach(Snapshots::close);
    }

    /** A service that is connected to its store, and closed after the test. */
    final Snapshots connected(SnapshotsBuilder builder) {
        Snapshots snapshots = builder.build();
        opened.add(snapshots);
        // The first connection of a process takes its time.
        until("a connection", () -> snapshots.ping().toCompletableFuture().handle((done, error) -> error == null).join());
        return snapshots;
    }

    static void until(String what, BooleanSupplier holds) {
        RedisServer.until(what, ENDS_WITHIN, holds);
    }

    static String fresh() {
        return UUID.randomUUID().toString();
    }

    static <T, E extends Exception> Reading<T, E> never() {
        return () -> {
            throw new AssertionError("a mirror has no database");
        };
    }
}
