package dev.mirror.snapshot;

import static dev.mirror.snapshot.FiledEffects.effects;
import static dev.mirror.snapshot.FiledEffects.ended;
import static dev.mirror.snapshot.FiledEffects.filed;
import static dev.mirror.snapshot.FiledEffects.replayed;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.mirror.snapshot.guard.WriteRefusedException;
import dev.mirror.snapshot.store.RedisServer;
import dev.mirror.snapshot.store.WaitOptions;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

/** What a mirror files of replayed requests, and production of its writes, with a real store between them. */
class SendEffectsTest extends WithStore {
    record Booking(String sku, BigDecimal amount) {}

    /** For what never comes. */
    private static final WaitOptions SHORT = new WaitOptions(Duration.ofMillis(100), Duration.ofMillis(20), 1000);
    private static final ObjectMapper JSON = new ObjectMapper();

    private Snapshots open(SnapshotsBuilder builder) {
        return open(builder, redis.url());
    }

    private Snapshots open(SnapshotsBuilder builder, String url) {
        return connected(builder.rules(List.of("header:x-request-id")).store(url));
    }

    private Snapshots mirror() {
        return open(Snapshots.builder(Profile.MIRROR).wait(PATIENT));
    }

    private Snapshots impatient() {
        return open(Snapshots.builder(Profile.MIRROR).wait(SHORT));
    }

    private static String list(JsonNode document) {
        assertEquals(1, document.get("mirror").intValue());
        return document.get("effects").toString();
    }

    private static void refusedBook(RequestSnapshot here, String key, Object written) {
        assertThrows(WriteRefusedException.class, () -> here.write("book", key, written, Integer.class, never()));
    }

    @Test
    void what_is_asked_for_stands_there_in_its_order_whether_it_is_answered_or_not() throws Exception {
        Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
        RequestSnapshot there = Recorded.by(production, () -> production.begin(Sent.get("/stock").with("x-request-id", fresh()), null), request -> {
            request.load("stock", 7, Integer.class, () -> 3);
            request.load("stock", 7, Integer.class, () -> 2);
            request.randomId();
            request.write("book", 7, new Booking("a", new BigDecimal("12.50")), Integer.class, () -> 1);
        });
        JsonNode effects = effects(mirror(), there.id().orElseThrow().text(), here -> {
            assertEquals(3, here.load("stock", 7, Integer.class, never()));
            assertEquals(2, here.<Integer>loadAsync("stock", 7, Integer.class, () -> null).toCompletableFuture().get());
            here.randomId();
            assertThrows(SnapshotMissException.class, () -> here.recorded("stock", 7, Integer.class));
            assertEquals("or", here.loadOr("price", Map.of("a", 1), String.class, never(), () -> "or"));
            assertEquals(1, here.write("book", 7, new Booking("a", new BigDecimal("12.5")), Integer.class, never()));
            assertThrows(CompletionException.class,
                    here.<Integer>writeAsync("book", 8, Map.of("b", 1), Integer.class, () -> null).toCompletableFuture()::join);
            assertThrows(SnapshotMissException.class, () -> here.write("mail", "", Integer.class, never()));
        });
        String booked = "\"written\":{\"digest\":\"" + digestInProduction(there) + "\",\"value\":{\"amount\":12.5,\"sku\":\"a\"}}";
        String[] expected = {"{\"read\":\"stock\",\"key\":\"7\"}", "{\"read\":\"stock\",\"key\":\"7\"}", "{\"read\":\"random id\",\"key\":\"\"}",
            "{\"read\":\"stock\",\"key\":\"7\"}", "{\"read\":\"price\",\"key\":\"{\\\"a\\\":1}\"}", "{\"write\":\"book\",\"key\":\"7\"," + booked + "}",
            "{\"write\":\"book\",\"key\":\"8\",\"written\":", "{\"write\":\"mail\",\"key\":\"\"}"};
        assertEquals(expected.length, effects.get("effects").size());
        for (int n = 0; n < expected.length; n++) {
            String effect = effects.get("effects").get(n).toString();
            assertTrue(effect.startsWith(expected[n]), effect + " instead of " + expected[n]);
        }
        assertFalse(effects.has("dropped"));
    }

    /** What production filed of the last thing that it did. */
    private static String digestInProduction(RequestSnapshot there) throws Exception {
        JsonNode reads = JSON.readTree(redis.ask("GET", "snapshot:" + there.id().orElseThrow())).get("reads");
        JsonNode write = reads.get(reads.size() - 1);
        assertEquals("write:book", write.get("name").textValue());
        assertEquals(1, write.get("value").intValue());
        assertEquals("{\"amount\":12.5,\"sku\":\"a\"}", write.get("written").get("value").toString());
        return write.get("written").get("digest").textValue();
    }

    @Test
    void a_write_that_failed_in_production_says_what_it_was_to_write() throws Exception {
        Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
        RequestSnapshot there = Recorded.by(production, () -> production.begin(Sent.get("/").with("x-request-id", fresh()), null), request -> {
            assertThrows(IllegalStateException.class, () -> request.write("book", 1, Map.of("n", 1), Integer.class, () -> {
                throw new IllegalStateException("full");
            }));
            assertThrows(CompletionException.class, request.<Integer>writeAsync("book", 2, Map.of("n", 2), Integer.class,
                    () -> CompletableFuture.failedFuture(new IllegalStateException("full"))).toCompletableFuture()::join);
            request.write("book", 3, Integer.class, () -> 3);
        });
        JsonNode reads = JSON.readTree(redis.ask("GET", "snapshot:" + there.id().orElseThrow())).get("reads");
        for (int n = 1; n <= 2; n++) {
            assertEquals("java.lang.IllegalStateException: full", reads.get(n - 1).get("error").textValue());
            assertEquals(n, reads.get(n - 1).get("written").get("value").get("n").intValue());
        }
        assertFalse(reads.get(2).has("written"));
    }

    @Test
    void what_is_written_is_what_it_was_at_the_call() throws Exception {
        List<Integer> items = new ArrayList<>(List.of(1));
        JsonNode effects = effects(impatient(), fresh(), here -> {
            items.clear();
            items.add(1);
            assertThrows(SnapshotMissException.class, () -> here.write("list", "", items, Integer.class, never()));
            items.add(2);
        });
        assertEquals("[1]", effects.get("effects").get(0).get("written").get("value").toString());
        Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
        RequestSnapshot there = Recorded.by(production, () -> production.begin(Sent.get("/").with("x-request-id", fresh()), null), request -> {
            items.clear();
            items.add(1);
            // As a database does that numbers what it gets.
            request.write("list", "", items, Boolean.class, () -> items.add(2));
        });
        JsonNode read = JSON.readTree(redis.ask("GET", "snapshot:" + there.id().orElseThrow())).get("reads").get(0);
        assertEquals("[1]", read.get("written").get("value").toString());
    }

    @Test
    void it_is_filed_too_where_the_snapshot_is_missing_and_where_writes_are_refused() throws Exception {
        JsonNode missed = effects(impatient(), fresh(), here ->
                assertThrows(SnapshotMissException.class, () -> here.load("stock", 1, Integer.class, never())));
        assertEquals("[{\"read\":\"stock\",\"key\":\"1\"}]", list(missed));
        Snapshots refusing = open(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE));
        JsonNode refused = effects(refusing, fresh(), here -> refusedBook(here, "1", null));
        assertEquals("[{\"write\":\"book\",\"key\":\"1\"}]", list(refused));
        JsonNode nothing = effects(impatient(), fresh(), here -> {});
        assertEquals("[]", list(nothing));
    }

    @Test
    void what_has_no_canonical_form_and_what_is_null_is_left_out_and_harms_no_snapshot() throws Exception {
        Snapshots refusing = open(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE));
        Object[] without = {null, Optional.empty(), new Object(), new BigDecimal("1e99"), "half of a pair \ud83d", "x".repeat(1 << 20)};
        JsonNode effects = effects(refusing, fresh(), here -> {
            for (Object written : without) {
                refusedBook(here, "1", written);
            }
            refusedBook(here, "2", "x".repeat(5000));
            refusedBook(here, "3", new BigDecimal("-0.50"));
        });
        for (int n = 0; n < without.length; n++) {
            assertEquals("{\"write\":\"book\",\"key\":\"1\"}", effects.get("effects").get(n).toString());
        }
        JsonNode large = effects.get("effects").get(without.length).get("written");
        assertTrue(large.has("digest") && !large.has("value"), large.toString());
        assertEquals("-0.5", effects.get("effects").get(without.length + 1).get("written").get("value").toString());

        Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
        RequestSnapshot there = Recorded.by(production, () -> production.begin(Sent.get("/").with("x-request-id", fresh()), null), request -> {
            for (Object written : without) {
                request.write("book", 1, written, Integer.class, () -> 1);
            }
        });
        JsonNode reads = JSON.readTree(redis.ask("GET", "snapshot:" + there.id().orElseThrow())).get("reads");
        assertEquals(without.length, reads.size());
        reads.forEach(read -> assertFalse(read.has("written"), read.toString()));
        assertEquals(0, production.counts().of(Outcome.NOT_ENCODED));
    }

    @Test
    void without_a_send_or_an_id_nothing_is_filed() throws Exception {
        Snapshots mirror = impatient();
        Sent request = Sent.get("/").with(Headers.REQUEST_ID, fresh());
        for (Sent without : List.of(request, request.with(Headers.SEND, ""), request.with(Headers.SEND, "a:b"),
                request.with(Headers.SEND, "x".repeat(65)), Sent.get("/").with(Headers.SEND, "run-c"))) {
            RequestSnapshot here = mirror.begin(without, null);
            assertFalse(here.filesEffects(), without.toString());
            assertThrows(SnapshotMissException.class, () -> here.write("book", 1, "x", Integer.class, never()));
            here.finish();
        }
        Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
        RequestSnapshot there = production.begin(Sent.get("/").with("x-request-id", fresh()).with(Headers.SEND, "run-c"), null);
        assertFalse(there.filesEffects());
        assertFalse(Snapshots.off().begin(request.with(Headers.SEND, "run-c"), null).filesEffects());
        // One that is ended twice is filed once, and after it nothing else.
        int[] attempts = {0};
        effects(mirror, fresh(), here -> {
            attempts[0]++;
            here.finish();
        });
        mirror.close();
        assertEquals(attempts[0], ended(mirror));
    }

    @Test
    void a_namespace_and_a_name_that_the_service_gives_do_not_move_them() throws Exception {
        Snapshots mirror = open(Snapshots.builder(Profile.MIRROR), redis.url() + "?prefix=shop:");
        String id = fresh();
        Sent request = Sent.get("/").with(Headers.REQUEST_ID, id).with(Headers.NAMESPACE, "run-1");
        String send = filed(mirror, named -> mirror.begin(request.with(Headers.SEND, " " + named + " "), null), here -> {
            here.name(new RequestId("another"));
        });
        String key = "shop:effects/" + send + ":" + id;
        assertEquals("{\"mirror\":1,\"effects\":[]}", redis.ask("GET", key));
        long left = Long.parseLong(redis.ask("PTTL", key));
        assertTrue(left > 200_000 && left <= 300_000, left + " ms");
    }

    @Test
    void too_many_are_cut_and_the_document_says_how_many() throws Exception {
        JsonNode effects = effects(open(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE)), fresh(), here -> {
            for (int n = 0; n < 200; n++) {
                refusedBook(here, "k" + n, "x".repeat(4000));
            }
        });
        int dropped = effects.get("dropped").intValue();
        assertTrue(dropped > 100, "only " + dropped);
        assertEquals(200, dropped + effects.get("effects").size());
    }

    @Test
    void what_is_not_whole_is_not_filed_and_counted() throws Exception {
        Snapshots mirror = impatient();
        for (Object strange : new Object[] {new Object(), "half of a pair \ud83d"}) {
            RequestSnapshot here = replayed(mirror, "run-c", fresh());
            assertThrows(SnapshotMissException.class, () -> here.load("stock", strange, String.class, never()));
            here.finish();
        }
        assertEquals(2, mirror.counts().of(Outcome.EFFECTS_FAILED));
        assertEquals(0, mirror.pendingBytes());
        RequestSnapshot late = replayed(mirror, "run-c", fresh());
        late.finish();
        assertThrows(SnapshotMissException.class, () -> late.load("stock", 1, String.class, never()));
        assertEquals(1, mirror.counts().of(Outcome.EFFECTS_TOO_LATE));
    }

    @Test
    void there_is_room_for_so_many_and_the_others_are_counted() {
        Snapshots crowded = open(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE).queue(10, 20_000));
        List<RequestSnapshot> many = new ArrayList<>();
        for (int n = 0; n < 10; n++) {
            RequestSnapshot here = replayed(crowded, "run-c", fresh());
            refusedBook(here, "1", "x".repeat(4000));
            many.add(here);
        }
        many.forEach(RequestSnapshot::finish);
        until("all ended", () -> ended(crowded) == 10);
        assertTrue(crowded.counts().of(Outcome.EFFECTS_DROPPED) >= 6, crowded.counts().of(Outcome.EFFECTS_DROPPED) + " dropped");
        until("nothing is kept", () -> crowded.pendingBytes() == 0 && crowded.pendingDocuments() == 0);
    }

    @Test
    void a_store_that_is_away_or_refuses_costs_the_document_and_nothing_else() {
        try (RedisServer own = RedisServer.start()) {
            own.ask("ACL", "SETUSER", "default", "-set");
            Snapshots mirror = connected(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE).store(own.url()));
            RequestSnapshot refused = replayed(mirror, "run-c", fresh());
            refusedBook(refused, "1", "x");
            refused.finish();
            until("the refusal is counted", () -> mirror.counts().of(Outcome.EFFECTS_FAILED) == 1);
            own.kill();
            RequestSnapshot lost = replayed(mirror, "run-c", fresh());
            refusedBook(lost, "1", "x");
            lost.finish();
            until("the loss is counted", () -> mirror.counts().of(Outcome.EFFECTS_FAILED) == 2);
            assertEquals(0, mirror.pendingBytes());
        }
    }
}
