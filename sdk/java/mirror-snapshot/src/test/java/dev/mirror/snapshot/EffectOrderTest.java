package dev.mirror.snapshot;

import static dev.mirror.snapshot.FiledEffects.effects;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.mirror.snapshot.store.WaitOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.Test;

/** What a service does is listed alike by production and by its mirror, however its calls end, and whatever they are done inside of. */
class EffectOrderTest extends WithStore {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final WaitOptions SHORT = new WaitOptions(Duration.ofMillis(100), Duration.ofMillis(20), 1000);

    private final Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
    private final Snapshots mirror = open(Snapshots.builder(Profile.MIRROR).wait(PATIENT));

    private Snapshots open(SnapshotsBuilder builder) {
        return connected(builder.rules(List.of("header:x-request-id")).store(redis.url()));
    }

    /** A request for which production does this. */
    private String recorded(Recorded.Work work) throws Exception {
        RequestSnapshot there = Recorded.by(production, () -> production.begin(Sent.get("/").with("x-request-id", fresh()), null), work);
        return there.id().orElseThrow().text();
    }

    private static JsonNode snapshot(String id) throws Exception {
        return JSON.readTree(redis.ask("GET", "snapshot:" + id));
    }

    /** What production did, by its document: names and keys, in the order in which they were asked for. */
    private static List<String> done(JsonNode snapshot) {
        List<String> all = new ArrayList<>();
        int next = 0;
        JsonNode unfinished = snapshot.path("unfinished");
        for (int at = 0; at <= snapshot.get("reads").size(); at++) {
            for (; next < unfinished.size() && unfinished.get(next).get("at").intValue() == at; next++) {
                all.add(shown(unfinished.get(next)));
            }
            JsonNode read = snapshot.get("reads").path(at);
            if (!read.isMissingNode() && !read.path("inside").asBoolean()) {
                all.add(shown(read));
            }
        }
        assertEquals(unfinished.size(), next);
        return all;
    }

    private static String shown(JsonNode read) {
        return read.get("name").textValue() + " " + read.get("key").textValue() + read.path("written").path("value");
    }

    /** What a mirror did, in the same form. */
    private static List<String> asked(JsonNode effects) {
        List<String> all = new ArrayList<>();
        for (JsonNode effect : effects.get("effects")) {
            String name = effect.has("read") ? effect.get("read").textValue() : "write:" + effect.get("write").textValue();
            all.add(name + " " + effect.get("key").textValue() + effect.path("written").path("value"));
        }
        return all;
    }

    /** Calls that end in another order than they began, or not before the answer. */
    private static void unsteady(RequestSnapshot request, List<CompletableFuture<Integer>> late) {
        CompletableFuture<Integer> first = new CompletableFuture<>();
        CompletableFuture<Integer> never = new CompletableFuture<>();
        request.<Integer>loadAsync("price", 1, Integer.class, () -> first);
        request.<Integer>writeAsync("book", 2, Map.of("amount", 3), Integer.class, () -> never);
        request.load("price", 3, Integer.class, () -> 3);
        request.<Integer>loadAsync("row", 4, Integer.class, () -> never).toCompletableFuture().cancel(true);
        first.complete(1);
        late.add(never);
    }

    @Test
    void calls_are_listed_as_they_were_asked_for_whether_they_ended_or_not() throws Exception {
        List<CompletableFuture<Integer>> late = new ArrayList<>();
        String id = recorded(there -> {
            unsteady(there, late);
            assertThrows(StackOverflowError.class, () -> there.load("deep", 5, Integer.class, () -> {
                throw new StackOverflowError();
            }));
        });
        List<String> expected = List.of("price 1", "write:book 2{\"amount\":3}", "price 3", "row 4", "deep 5");
        JsonNode snapshot = snapshot(id);
        assertEquals(expected, done(snapshot));
        assertEquals(2, snapshot.get("reads").size());
        assertTrue(production.counts().of(Outcome.UNFINISHED) >= 1);
        assertEquals("1", snapshot.get("reads").get(0).get("value").toString());
        late.forEach(one -> one.complete(7));
        assertTrue(production.counts().of(Outcome.TOO_LATE) >= 1);
        assertEquals(0, production.pendingBytes());
        JsonNode effects = effects(mirror, id, here -> {
            unsteady(here, new ArrayList<>());
            assertThrows(SnapshotMissException.class, () -> here.load("deep", 5, Integer.class, never()));
        });
        assertEquals(expected, asked(effects));
    }

    @Test
    void what_has_not_ended_does_not_keep_a_snapshot_from_being_filed() throws Exception {
        String id = recorded(there -> {
            there.load("small", "", String.class, () -> "x");
            for (int n = 0; n < 2000; n++) {
                there.<Integer>loadAsync("name", "x".repeat(1000), Integer.class, CompletableFuture::new);
            }
        });
        JsonNode snapshot = snapshot(id);
        assertEquals(1, snapshot.get("reads").size());
        int listed = snapshot.get("unfinished").size();
        assertTrue(listed > 50 && listed < 70, listed + " are listed");
        assertEquals(2000, listed + snapshot.get("dropped").intValue());
        assertEquals(0, production.pendingBytes());
    }

    /** A write that is done by a write and reads, by the request itself, on another thread and through the service's source. */
    private static int nested(Snapshots service, RequestSnapshot request) throws Exception {
        try (SnapshotContext.Scope scope = SnapshotContext.enter(request)) {
            SnapshotSource source = service.source();
            int gave = source.write("book", 1, "a", Integer.class, () -> {
                Executor other = SnapshotContext.wrap((Executor) work -> {
                    Thread thread = new Thread(work);
                    thread.start();
                    try {
                        thread.join();
                    } catch (InterruptedException stopped) {
                        throw new AssertionError(stopped);
                    }
                });
                int row = CompletableFuture.supplyAsync(() -> source.load("row", 1, Integer.class, () -> 1), other).join();
                int tax = source.load("tax", 1, Integer.class, () -> request.load("rate", 1, Integer.class, () -> 2));
                return row + tax + source.<Integer>writeAsync("entry", 1, "b", Integer.class,
                        () -> CompletableFuture.completedFuture(3)).toCompletableFuture().join();
            });
            return gave + source.load("after", 1, Integer.class, () -> 4);
        }
    }

    @Test
    void what_is_done_inside_of_a_call_is_no_effect_of_its_own() throws Exception {
        String id = recorded(there -> assertEquals(10, nested(production, there)));
        List<String> expected = List.of("write:book 1\"a\"", "after 1");
        assertEquals(expected, done(snapshot(id)));
        JsonNode effects = effects(mirror, id, here -> {
            assertEquals(10, nested(mirror, here));
            // Another version may ask for what was done inside.
            assertEquals(2, here.load("rate", 1, Integer.class, never()));
        });
        assertEquals(List.of("write:book 1\"a\"", "after 1", "rate 1"), asked(effects));
    }

    @Test
    void a_mirror_that_reads_its_own_database_lists_the_outer_read_only() throws Exception {
        Snapshots own = open(Snapshots.builder(Profile.MIRROR).onMiss(OnMiss.DATABASE).wait(SHORT));
        JsonNode effects = effects(own, fresh(), here -> {
            assertEquals(1, here.load("order", 1, Integer.class, () -> here.load("row", 1, Integer.class, () -> 1)));
            assertEquals(2, here.<Integer>loadAsync("order", 2, Integer.class,
                    () -> here.loadAsync("row", 2, Integer.class, () -> CompletableFuture.completedFuture(2))).toCompletableFuture().get());
        });
        assertEquals(List.of("order 1", "order 2"), asked(effects));
    }
}
