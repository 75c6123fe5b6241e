package dev.mirror.snapshot.spring.actuate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Effects;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
import dev.mirror.snapshot.spring.Waiting;
import dev.mirror.snapshot.spring.reactive.ReactiveShop;
import dev.mirror.snapshot.spring.servlet.Shop;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class ActuatorTest {
    private static final String[] BOTH = {"mirror.snapshot.rules[0]=header:x-id", "management.endpoint.health.show-details=always",
        "management.endpoint.health.show-components=always", "mirror.snapshot.wait.timeout=100ms", "mirror.snapshot.wait.poll=20ms"};

    private static String[] with(String... more) {
        String[] all = Arrays.copyOf(BOTH, BOTH.length + more.length);
        System.arraycopy(more, 0, all, BOTH.length, more.length);
        return all;
    }

    /** The part of the health that is ours. */
    private static String snapshots(Answer health) {
        int from = health.text().indexOf("\"snapshots\":");
        assertTrue(from >= 0, health.text());
        return health.text().substring(from);
    }

    @Test
    void a_store_that_is_away_leaves_production_up_and_takes_a_mirror_down() {
        try (Redis redis = Redis.start();
                Service production = Service.servlet(Shop.class, with("mirror.snapshot.profile=production", "mirror.snapshot.store=" + redis.url()));
                Service mirror = Service.reactive(ReactiveShop.class, with("mirror.snapshot.profile=mirror", "mirror.snapshot.store=" + redis.url()))) {
            Waiting.until("the mirror is up", () -> mirror.get("/actuator/health").status() == 200);
            String text = Waiting.found("the health of a production that is up", () -> {
                String health = snapshots(production.get("/actuator/health"));
                return health.contains("\"status\":\"UP\"") ? health : null;
            });
            assertTrue(text.contains("\"profile\":\"production\"") && text.contains("\"store\":\"reachable\"")
                    && text.contains("\"pendingDocuments\":0") && text.contains("\"no_id\":"), text);
            redis.freeze();
            // The server stays as it is: a check without a limit would not end.
            Answer frozen = production.get("/actuator/health");
            assertEquals(200, frozen.status());
            assertTrue(snapshots(frozen).contains("\"status\":\"UNKNOWN\"") && snapshots(frozen).contains("not reachable"), frozen.text());
            Answer down = mirror.get("/actuator/health");
            assertEquals(503, down.status());
            assertTrue(snapshots(down).contains("\"status\":\"DOWN\""), down.text());
            redis.thaw();
            Waiting.until("the mirror is up again", () -> mirror.get("/actuator/health").status() == 200);
        }
    }

    @Test
    void what_is_misconfigured_is_told() {
        try (Service production = Service.servlet(Shop.class, with("mirror.snapshot.profile=production"));
                Service mirror = Service.servlet(Shop.class, with("mirror.snapshot.profile=mirror"))) {
            Answer unknown = production.get("/actuator/health");
            assertEquals(200, unknown.status());
            assertTrue(snapshots(unknown).contains("\"misconfigured\":\"no store is named"), unknown.text());
            assertEquals(503, mirror.get("/actuator/health").status());
            assertEquals(200, production.get("/source/a").status());
            Answer refused = mirror.get("/source/a", Headers.REQUEST_ID, "1");
            assertEquals("503 unavailable", refused.status() + " " + refused.header(Headers.SNAPSHOT));
        }
    }

    @Test
    void meters_count_what_became_of_requests_snapshots_and_reads() {
        try (Service production = Service.servlet(Shop.class, with("mirror.snapshot.profile=production", "mirror.snapshot.store=" + Redis.shared().url()));
                Service mirror = Service.servlet(Shop.class, with("mirror.snapshot.profile=mirror", "mirror.snapshot.store=" + Redis.shared().url()))) {
            MeterRegistry registry = production.bean(MeterRegistry.class);
            Set<String> names = registry.getMeters().stream().map(Meter::getId).filter(id -> id.getName().startsWith("mirror."))
                    .map(id -> id.getName() + (id.getTag("outcome") == null ? "" : " " + id.getTag("outcome")))
                    .collect(Collectors.toCollection(TreeSet::new));
            assertEquals(new TreeSet<>(Set.of("mirror.snapshot.effects dropped",
                    "mirror.snapshot.effects failed", "mirror.snapshot.effects filed", "mirror.snapshot.effects too_late",
                    "mirror.snapshot.looks collided", "mirror.snapshot.looks hit", "mirror.snapshot.looks late",
                    "mirror.snapshot.looks missing", "mirror.snapshot.looks unavailable", "mirror.snapshot.looks unreadable",
                    "mirror.snapshot.pending.bytes", "mirror.snapshot.pending.documents", "mirror.snapshot.puts collided",
                    "mirror.snapshot.puts dropped", "mirror.snapshot.puts failed", "mirror.snapshot.puts filed",
                    "mirror.snapshot.puts not_encoded", "mirror.snapshot.puts too_large", "mirror.snapshot.puts too_late",
                    "mirror.snapshot.puts unfinished",
                    "mirror.snapshot.reads no_request", "mirror.snapshot.reads not_recorded", "mirror.snapshot.reads wrong_type",
                    "mirror.snapshot.requests body_not_json", "mirror.snapshot.requests body_not_read",
                    "mirror.snapshot.requests misconfigured", "mirror.snapshot.requests no_id", "mirror.snapshot.waits",
                    "mirror.snapshot.writes recorded", "mirror.snapshot.writes refused")), names);
            Recorded.by(production.bean(Snapshots.class), id -> production.get("/source/a", "x-id", id));
            Waiting.until("it is counted", () -> count(registry, "puts", "filed") == 1);
            mirror.get("/source/a", Headers.REQUEST_ID, "never-filed");
            MeterRegistry mirrored = mirror.bean(MeterRegistry.class);
            assertEquals(1, count(mirrored, "looks", "missing"));
            Timer waits = mirrored.find("mirror.snapshot.waits").timer();
            assertNotNull(waits);
            assertEquals(1, waits.count());
            Effects.by(mirror.bean(Snapshots.class), "never-filed", send -> mirror.get("/source/a", Effects.headers("never-filed", send)));
            Waiting.until("it is counted", () -> count(mirrored, "effects", "filed") == 1);
        }
    }

    private static double count(MeterRegistry registry, String meter, String outcome) {
        FunctionCounter counter = registry.find("mirror.snapshot." + meter).tag("outcome", outcome).functionCounter();
        assertNotNull(counter);
        return counter.count();
    }
}
