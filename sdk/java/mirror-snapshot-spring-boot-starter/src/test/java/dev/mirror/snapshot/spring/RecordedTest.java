package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** The tests' own means: a store that stands still for a while costs production a snapshot, and no test its result. */
class RecordedTest {
    @Test
    void work_is_done_again_when_production_gave_its_snapshot_up() {
        AtomicInteger attempts = new AtomicInteger();
        try (Redis redis = Redis.start();
                Snapshots production = Snapshots.builder(Profile.PRODUCTION).store(redis.url()).rules(List.of("header:x-id")).queue(1, 10_000)
                        .build()) {
            Waiting.until("production reaches its store", () -> Redis.isReached(production));
            Recorded<String> filed = Recorded.by(redis, production, id -> {
                if (attempts.incrementAndGet() > 1) {
                    return read(production, id);
                }
                redis.freeze();
                // The first one fills the queue, so that there is no room for the second.
                read(production, UUID.randomUUID().toString());
                String given = read(production, id);
                Waiting.until("snapshots are given up", () -> Recorded.givenUp(production) > 0 && production.pendingDocuments() == 0);
                redis.thaw();
                return given;
            });
            assertTrue(filed.document().contains("\"value\":\"read for " + filed.id() + "\""), filed.document());
            assertEquals("read for " + filed.id(), filed.given());
            assertTrue(Recorded.givenUp(production) > 0, "nothing was given up");
        }
    }

    private static String read(Snapshots production, String id) throws Exception {
        return Sent.with("x-id", id).to(production,
                () -> SnapshotContext.current().orElseThrow().load("a", "", String.class, () -> "read for " + id));
    }
}
