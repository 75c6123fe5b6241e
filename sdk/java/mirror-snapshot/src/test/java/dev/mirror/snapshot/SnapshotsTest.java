package dev.mirror.snapshot;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.mirror.snapshot.guard.WriteGuard;
import dev.mirror.snapshot.guard.WriteRefusedException;
import dev.mirror.snapshot.store.WaitOptions;
import java.io.FileNotFoundException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** A service in production and the same service in its mirror, with a real store between them. */
class SnapshotsTest extends WithStore {
    record Stock(long product, int left) {}

    private static final List<String> RULES = List.of("header:x-request-id", "response-header:x-told");
    /** For what never comes. */
    private static final WaitOptions SHORT = new WaitOptions(Duration.ofMillis(200), Duration.ofMillis(20), 3);
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Snapshots production = open(Snapshots.builder(Profile.PRODUCTION));
    private final Snapshots mirror = open(Snapshots.builder(Profile.MIRROR));
    private final Snapshots impatient = open(Snapshots.builder(Profile.MIRROR), SHORT);

    private Snapshots open(SnapshotsBuilder builder) {
        return open(builder, PATIENT);
    }

    private Snapshots open(SnapshotsBuilder builder, WaitOptions wait) {
        return connected(builder.rules(RULES).store(redis.url()).wait(wait));
    }

    private RequestSnapshot recorded(String id) {
        return production.begin(Sent.get("/stock").with("x-request-id", id), null);
    }

    /** The id of a request for which production does this, and whose snapshot is filed. */
    private String filed(Recorded.Work work) throws Exception {
        return text(Recorded.by(production, () -> recorded(fresh()), work));
    }

    private static String text(RequestSnapshot request) {
        return request.id().orElseThrow().text();
    }

    private RequestSnapshot replayed(Snapshots to, String id) {
        return to.begin(Sent.get("/stock").with(Headers.REQUEST_ID, id).with(Headers.CAPTURED_AT, "1700000000123"), null);
    }

    private RequestSnapshot replayed(String id) {
        return replayed(mirror, id);
    }

    private static <T> Supplier<CompletionStage<T>> nothing() {
        return () -> {
            throw new AssertionError("a mirror has no database");
        };
    }

    @Test
    void reads_are_answered_in_their_order_and_with_their_kind() throws Exception {
        UUID[] number = new UUID[1];
        String id = filed(there -> {
            assertEquals(new Stock(7, 3), there.load("stock", 7, Stock.class, () -> new Stock(7, 3)));
            there.load("stock", 7, Stock.class, () -> new Stock(7, 2));
            there.load("stock", 8, Stock.class, () -> null);
            there.load("note", "", new TypeReference<Optional<String>>() {}, Optional::empty);
            assertThrows(FileNotFoundException.class, () -> there.load("file", "a", String.class, () -> {
                throw new FileNotFoundException("a is gone");
            }));
            there.load("all", "", new TypeReference<List<Stock>>() {}, () -> List.of(new Stock(1, 1)));
            number[0] = there.randomId();
        });

        RequestSnapshot here = hit(id);
        assertEquals(new Stock(7, 3), here.load("stock", 7L, Stock.class, never()));
        assertEquals(new Stock(7, 2), here.load("stock", "7", Stock.class, never()));
        assertNull(here.load("stock", 8, Stock.class, never()));
        assertEquals(Optional.empty(), here.load("note", "", new TypeReference<Optional<String>>() {}, never()));
        assertEquals("a is gone", assertThrows(FileNotFoundException.class,
                () -> here.<String, FileNotFoundException>load("file", "a", String.class, never())).getMessage());
        assertEquals(number[0], here.randomId());
        assertEquals(1_700_000_000_123L, here.now().toEpochMilli());
        // The third of two.
        SnapshotMissException miss = assertThrows(SnapshotMissException.class, () -> here.load("stock", 7, Stock.class, never()));
        assertEquals(SnapshotState.INCOMPLETE, miss.state());
        assertEquals(SnapshotState.INCOMPLETE, here.state());
        assertEquals(1, mirror.counts().of(Outcome.HIT));
        assertEquals(1, mirror.counts().of(Outcome.NOT_RECORDED));
    }

    /** A replayed request whose snapshot was there at the first look, with one of its reads done. */
    private RequestSnapshot hit(String id) throws Exception {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            RequestSnapshot here = replayed(id);
            assertEquals(SnapshotState.UNREAD, here.state());
            // Another order among other keys does not matter.
            assertEquals(List.of(new Stock(1, 1)), here.load("all", "", new TypeReference<List<Stock>>() {}, never()));
            if (here.state() == SnapshotState.HIT) {
                return here;
            }
            assertEquals(SnapshotState.LATE, here.state());
        }
        throw new AssertionError("no first look found it");
    }

    @Test
    void what_changes_after_it_was_read_does_not_leak_in() throws Exception {
        String id = filed(there -> {
            List<String> names = there.load("names", "", new TypeReference<>() {}, () -> new ArrayList<>(List.of("before")));
            names.add("after");
        });
        assertEquals(List.of("before"), replayed(id).load("names", "", new TypeReference<List<String>>() {}, never()));
    }

    @Test
    void a_snapshot_that_comes_late_is_waited_for() throws Exception {
        List<RequestSnapshot> waiting = new ArrayList<>();
        List<CompletableFuture<Stock>> reads = new ArrayList<>();
        Recorded.by(production, () -> {
            String id = fresh();
            long looks = redis.calls("mget");
            RequestSnapshot here = replayed(id);
            waiting.add(here);
            reads.add(here.<Stock>loadAsync("stock", 1, Stock.class, nothing()).toCompletableFuture());
            // One look may have been under way, and one may have been given up before the store did it.
            until("the mirror looks", () -> redis.calls("mget") > looks + 2);
            return recorded(id);
        }, there -> there.load("stock", 1, Stock.class, () -> new Stock(1, 1)));
        int last = reads.size() - 1;
        assertEquals(new Stock(1, 1), reads.get(last).get());
        assertEquals(SnapshotState.LATE, waiting.get(last).state());
        assertTrue(mirror.counts().of(Outcome.LATE) >= 1, "a late snapshot that was not counted");
    }

    @Test
    void a_write_is_never_done_in_the_mirror() throws Exception {
        AtomicInteger done = new AtomicInteger();
        String id = filed(there -> {
            done.set(0);
            assertEquals(1, there.write("order", 7, Integer.class, done::incrementAndGet));
        });
        assertEquals(1, replayed(id).write("order", 7, Integer.class, done::incrementAndGet));
        assertThrows(SnapshotMissException.class, () -> replayed(id).write("order", 8, Integer.class, done::incrementAndGet));
        Snapshots refusing = open(Snapshots.builder(Profile.MIRROR).onWrite(OnWrite.REFUSE));
        assertThrows(WriteRefusedException.class, () -> replayed(refusing, id).write("order", 7, Integer.class, done::incrementAndGet));
        Snapshots reading = open(Snapshots.builder(Profile.MIRROR).onMiss(OnMiss.DATABASE));
        assertThrows(SnapshotMissException.class, () -> replayed(reading, id).write("order", 8, Integer.class, done::incrementAndGet));
        assertEquals(1, done.get());
        assertEquals(2, mirror.counts().of(Outcome.WRITE_RECORDED));
        assertEquals(1, refusing.counts().of(Outcome.WRITE_REFUSED));
    }

    @Test
    void a_miss_ends_as_it_was_told() throws Exception {
        assertEquals(SnapshotState.MISSING, missed().state());
        Snapshots falling = open(Snapshots.builder(Profile.MIRROR).fallback((name, key, type) -> new Stock(Long.parseLong(key), -1)), SHORT);
        assertEquals(new Stock(1, -1), replayed(falling, fresh()).load("stock", 1, Stock.class, never()));
        Snapshots reading = open(Snapshots.builder(Profile.MIRROR).onMiss(OnMiss.DATABASE), SHORT);
        assertEquals(new Stock(1, 9), replayed(reading, fresh()).load("stock", 1, Stock.class, () -> new Stock(1, 9)));
        assertEquals("x", replayed(impatient, fresh()).loadOr("a", 1, String.class, never(), () -> "x"));
        // No replay at all: nothing is waited for.
        RequestSnapshot direct = mirror.begin(Sent.get("/stock"), null);
        assertThrows(SnapshotMissException.class, () -> direct.load("stock", 1, Stock.class, never()));
        assertThrows(SnapshotMissException.class, () -> mirror.source().load("stock", 1, Stock.class, never()));
        assertEquals(1, mirror.counts().of(Outcome.NO_REQUEST));
    }

    /** What a read is told for which no snapshot comes. */
    private SnapshotMissException missed() {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            SnapshotMissException miss = assertThrows(SnapshotMissException.class,
                    () -> replayed(impatient, fresh()).load("stock", 1, Stock.class, never()));
            if (miss.state() != SnapshotState.UNAVAILABLE) {
                return miss;
            }
        }
        throw new AssertionError("the store never answered");
    }

    @Test
    void two_requests_with_one_id_are_told_apart_from_one() {
        String id = collided();
        RequestSnapshot here = replayed(id);
        assertThrows(SnapshotMissException.class, () -> here.load("stock", 1, Stock.class, never()));
        assertEquals(SnapshotState.COLLIDED, here.state());
    }

    /** The id of two requests. */
    private String collided() {
        for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
            String id = fresh();
            long before = Recorded.ended(production);
            recorded(id).finish();
            recorded(id).finish();
            Recorded.untilEnded(production, before + 2);
            // Neither was given up.
            if (production.counts().of(Outcome.COLLIDED) == 1) {
                return id;
            }
        }
        throw new AssertionError("no collision was counted");
    }

    @Test
    void another_type_and_a_newer_version_are_unreadable() throws Exception {
        String id = filed(there -> there.load("stock", 1, String.class, () -> "three"));
        RequestSnapshot here = replayed(id);
        assertThrows(SnapshotMissException.class, () -> here.load("stock", 1, Stock.class, never()));
        assertEquals(SnapshotState.UNREADABLE, here.state());
        assertEquals(1, mirror.counts().of(Outcome.WRONG_TYPE));

        String newer = fresh();
        redis.ask("SET", "snapshot:" + newer, "{\"mirror\":2,\"at\":1,\"request\":\"\"}");
        SnapshotMissException miss = assertThrows(SnapshotMissException.class, () -> replayed(newer).load("stock", 1, Stock.class, never()));
        assertTrue(miss.getMessage().contains("version 2"), miss.getMessage());
        assertEquals(1, mirror.counts().of(Outcome.UNREADABLE));
    }

    @Test
    void what_cannot_be_recorded_is_read_all_the_same() throws Exception {
        String id = fresh();
        Snapshots small = open(Snapshots.builder(Profile.PRODUCTION).mostBytes(1000));
        Sent sent = Sent.get("/stock").with("x-request-id", id);
        RequestSnapshot large = small.begin(sent, null);
        assertEquals(2000, large.load("text", "", String.class, () -> "x".repeat(2000)).length());
        large.finish();
        assertEquals(1, small.counts().of(Outcome.TOO_LARGE));
        assertEquals(0, small.pendingBytes());
        Object strange = new Object();
        RequestSnapshot opaque = small.begin(sent, null);
        assertSame(strange, opaque.load("object", "", Object.class, () -> strange));
        assertEquals("a", opaque.load("key", strange, String.class, () -> "a"));
        opaque.finish();
        assertEquals(1, small.counts().of(Outcome.NOT_ENCODED));
        Snapshots crowded = open(Snapshots.builder(Profile.PRODUCTION).queue(10, 500));
        List<RequestSnapshot> many = new ArrayList<>();
        for (int n = 0; n < 10; n++) {
            RequestSnapshot one = crowded.begin(Sent.get("/").with("x-request-id", fresh()), null);
            one.load("text", "", String.class, () -> "x".repeat(100));
            many.add(one);
        }
        many.forEach(RequestSnapshot::finish);
        Recorded.untilEnded(crowded, 10);
        assertEquals(8, crowded.counts().of(Outcome.DROPPED));
        assertEquals(10, Recorded.ended(crowded));
        RequestSnapshot late = recorded(fresh());
        late.finish();
        late.finish();
        late.load("late", "", String.class, () -> "a");
        assertEquals(1, production.counts().of(Outcome.TOO_LATE));
    }

    @Test
    void an_id_that_only_production_knows_is_told() {
        RequestSnapshot there = production.begin(Sent.get("/stock"), null);
        assertEquals("x-told", there.toldIn().orElseThrow());
        assertEquals(36, there.id().orElseThrow().text().length());
    }

    @Test
    void identical_requests_have_keys_of_their_own_and_are_listed_with_their_stamps() throws Exception {
        String path = "/" + fresh();
        Snapshots numbered = connected(Snapshots.builder(Profile.PRODUCTION).rules(List.of("none(\"{path}\") #n"))
                .store(redis.url() + "?prefix=shop:"));
        Set<String> numbers = new HashSet<>();
        Set<JsonNode> listed = new HashSet<>();
        for (int n = 0; n < 3; n++) {
            String id = text(Recorded.by(numbered, () -> numbered.begin(Sent.get(path), new InetSocketAddress("::1", 5)), there -> {}));
            assertTrue(id.matches(Pattern.quote(path) + "\\.[0-9a-f]{16}"), id);
            ObjectNode document = (ObjectNode) JSON.readTree(redis.ask("GET", "shop:snapshot:" + id));
            String number = id.substring(path.length() + 1);
            numbers.add(number);
            document.remove(List.of("mirror", "reads"));
            listed.add(document.put("n", number));
            String list = "shop:snapshot:" + path + " " + document.get("at").longValue() / 60_000;
            List<JsonNode> entries = new ArrayList<>();
            for (String entry : redis.ask("LRANGE", list, "0", "-1").split("\n")) {
                entries.add(JSON.readTree(entry));
            }
            // Those of snapshots that were given up may stand there too.
            assertTrue(entries.contains(document), document + " in " + entries);
            // Longer than the snapshot itself.
            long left = Long.parseLong(redis.ask("PTTL", list));
            assertTrue(left > 300_000 && left <= 360_000, left + " ms");
            assertTrue(document.get("us").intValue() >= 0 && document.get("us").intValue() < 1000, document.toString());
            assertEquals("[::1]:5", document.get("peer").textValue());
        }
        assertEquals(3, numbers.size());
        assertEquals(3, listed.size());
        assertEquals(0, numbered.counts().of(Outcome.COLLIDED));
    }

    @Test
    void a_request_that_its_service_names_anew_is_filed_without_a_number() throws Exception {
        Snapshots numbered = connected(Snapshots.builder(Profile.PRODUCTION).rules(List.of("none(\"{path}\") #n")).store(redis.url()));
        String name = text(Recorded.by(numbered, () -> {
            String fresh = fresh();
            RequestSnapshot there = numbered.begin(Sent.get("/" + fresh), null);
            there.name(new RequestId(fresh));
            return there;
        }, there -> {}));
        assertTrue(redis.ask("GET", "snapshot:" + name).contains("\"request\""));
        assertEquals("", redis.ask("KEYS", "snapshot:/" + name + "*"));
    }

    @Test
    void an_id_that_is_too_long_with_its_number_is_none() {
        Snapshots numbered = connected(Snapshots.builder(Profile.PRODUCTION).rules(List.of("none(\"{path}\") #n")).store(redis.url()));
        assertTrue(numbered.begin(Sent.get("/" + "x".repeat(238)), null).id().isPresent());
        assertTrue(numbered.begin(Sent.get("/" + "x".repeat(239)), null).id().isEmpty());
        assertEquals(1, numbered.counts().of(Outcome.NO_ID));
    }

    @Test
    void a_request_without_a_name_is_counted_by_its_reason() {
        Snapshots strict = connected(Snapshots.builder(Profile.PRODUCTION).rules(List.of("md5(\"{json:a}\")")).store(redis.url()));
        strict.begin(Sent.post("/", "{\"b\":1}"), null);
        strict.begin(Sent.post("/", "a=b"), null);
        strict.begin(Sent.get("/"), null);
        assertEquals(3, strict.counts().of(Outcome.NO_ID));
        assertEquals(1, strict.counts().of(Outcome.BODY_NOT_JSON));
        assertEquals(1, strict.counts().of(Outcome.BODY_NOT_READ));
    }

    @Test
    void the_document_says_whose_it_is() throws Exception {
        Snapshots named = connected(Snapshots.builder(Profile.PRODUCTION).rules(List.of("none(\"{json:id}\")")).store(redis.url() + "?prefix=shop:"));
        RequestSnapshot there = Recorded.by(named,
                () -> named.begin(Sent.post("/orders?a=1", "{\"id\":\"" + fresh() + "\"}"), new InetSocketAddress("::1", 5)),
                begun -> begun.position("16/B374D848"));
        String document = redis.ask("GET", "shop:snapshot:" + text(there));
        for (String part : List.of("\"mirror\":1", "\"at\":" + there.now().toEpochMilli(), "\"peer\":\"[::1]:5\"", "\"position\":\"16/B374D848\"",
                "\"request\":\"", "\"body\":\"", "\"reads\":[]")) {
            assertTrue(document.contains(part), document);
        }
    }

    @Test
    void switched_off_everything_is_done_and_nothing_recorded() {
        Snapshots off = Snapshots.off();
        RequestSnapshot plain = off.begin(Sent.get("/").with("x-request-id", "a"), null);
        assertEquals("a", plain.load("a", "", String.class, () -> "a"));
        assertEquals("b", plain.write("a", "", String.class, () -> "b"));
        assertEquals(Optional.empty(), plain.id());
        assertEquals(Profile.OFF, off.source().profile());
        assertThrows(IllegalStateException.class, () -> plain.recorded("a", "", String.class));
        off.close();
    }

    @Test
    void a_mistake_in_the_settings_takes_nothing_but_this_away() {
        Snapshots broken = Snapshots.builder(Profile.PRODUCTION).rules(List.of("md5(")).store(redis.url()).buildOrExplain();
        assertTrue(broken.misconfigured().orElseThrow().contains("md5("));
        assertEquals("a", broken.begin(Sent.get("/"), null).load("a", "", String.class, () -> "a"));
        assertEquals(1, broken.counts().of(Outcome.MISCONFIGURED));
        Snapshots nowhere = Snapshots.builder(Profile.MIRROR).rules(List.of()).store("http://x").buildOrExplain();
        SnapshotMissException miss = assertThrows(SnapshotMissException.class,
                () -> replayed(nowhere, "a").load("a", "", String.class, never()));
        assertEquals(SnapshotState.UNAVAILABLE, miss.state());
        for (SnapshotsBuilder bad : List.of(Snapshots.builder(Profile.PRODUCTION), Snapshots.builder(Profile.MIRROR),
                Snapshots.builder(Profile.MIRROR).store("redis://h").onMiss(OnMiss.FALLBACK))) {
            assertThrows(IllegalArgumentException.class, bad::build);
        }
    }

    @Test
    void the_current_request_goes_with_the_thread_and_with_what_is_handed_on() throws Exception {
        SnapshotSource source = production.source();
        Clock clock = new SnapshotClock(Clock.systemUTC());
        assertEquals(Optional.empty(), source.id());
        String id = filed(there -> {
            try (SnapshotContext.Scope scope = SnapshotContext.enter(there)) {
                assertEquals(there.id(), source.id());
                Thread.sleep(5);
                assertEquals(there.now(), clock.instant());
                assertEquals(there.id(), CompletableFuture.supplyAsync(source::id, SnapshotContext.wrap(Runnable::run)).get());
                Thread other = new Thread(SnapshotContext.wrap(() -> {
                    source.load("there", "", String.class, () -> "a");
                }));
                other.start();
                other.join();
            }
            assertEquals(Optional.empty(), source.id());
            assertNotEquals(there.now(), clock.instant());
        });
        assertEquals("a", replayed(id).load("there", "", String.class, never()));
    }

    @Test
    void one_object_for_a_request_is_read_there_and_taken_from_the_snapshot_here() throws Exception {
        String id = filed(there -> assertEquals(new Stock(7, 3),
                SnapshotStrategy.recording(there, "order", Stock.class, (Long key) -> new Stock(key, 3)).snapshot(7L)));
        assertEquals(new Stock(7, 3), SnapshotStrategy.<Long, Stock>serving(replayed(id), "order", Stock.class).snapshot(7L));
    }

    @Test
    void stages_are_recorded_and_served_like_calls() throws Exception {
        String id = filed(there -> {
            there.<String>loadAsync("a", 1, String.class, () -> CompletableFuture.supplyAsync(() -> "x")).toCompletableFuture().get();
            CompletableFuture<String> failed = there.<String>loadAsync("a", 2, String.class,
                    () -> CompletableFuture.failedFuture(new IllegalArgumentException("no"))).toCompletableFuture();
            assertThrows(CompletionException.class, failed::join);
            there.<Integer>writeAsync("w", 1, Integer.class, () -> CompletableFuture.completedFuture(5)).toCompletableFuture().get();
        });
        RequestSnapshot here = replayed(id);
        assertEquals("x", here.<String>loadAsync("a", 1, String.class, nothing()).toCompletableFuture().get());
        CompletionException error = assertThrows(CompletionException.class,
                here.<String>loadAsync("a", 2, String.class, nothing()).toCompletableFuture()::join);
        assertEquals("no", assertInstanceOf(IllegalArgumentException.class, error.getCause()).getMessage());
        assertEquals(5, here.<Integer>writeAsync("w", 1, Integer.class, nothing()).toCompletableFuture().get());
    }

    @Test
    void a_copy_in_a_namespace_is_found_there() throws Exception {
        String id = fresh();
        redis.ask("SET", "snapshot/run-1:" + id, "{\"mirror\":1,\"at\":1,\"request\":\"\",\"reads\":[{\"name\":\"a\",\"key\":\"\",\"value\":7}]}");
        Sent sent = Sent.get("/").with(Headers.REQUEST_ID, id);
        assertEquals(7, mirror.begin(sent.with(Headers.NAMESPACE, "run-1"), null).load("a", "", Integer.class, never()));
        assertThrows(SnapshotMissException.class,
                () -> mirror.begin(sent.with(Headers.NAMESPACE, "a:b"), null).load("a", "", Integer.class, never()));
    }

    @Test
    void other_clients_ask_the_guard() {
        WriteGuard guard = mirror.guard(WriteGuard.Verdict.REFUSE);
        assertThrows(WriteRefusedException.class, () -> guard.guard("kafka", "orders", () -> 1, () -> 0));
        assertEquals(0, mirror.guard(WriteGuard.Verdict.RECORD).<Integer, RuntimeException>guard("kafka", "orders", () -> 1, () -> 0));
        assertEquals(1, production.guard(WriteGuard.Verdict.REFUSE).<Integer, RuntimeException>guard("kafka", "orders", () -> 1, () -> 0));
        assertEquals(1, mirror.counts().of(Outcome.WRITE_REFUSED));
    }
}
