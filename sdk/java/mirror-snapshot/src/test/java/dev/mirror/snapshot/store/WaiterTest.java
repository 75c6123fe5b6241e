package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.TTL;
import static dev.mirror.snapshot.store.StoreSteps.await;
import static dev.mirror.snapshot.store.StoreSteps.bytes;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class WaiterTest {
    private RedisServer server;
    private SnapshotStore store;
    private Waiter waiter;

    @BeforeEach
    void start() {
        server = RedisServer.start();
        store = StoreSteps.connected(server.url(), StoreClient.LETTUCE);
        waiter = new Waiter(store, WaitOptions.DEFAULT);
    }

    @AfterEach
    void stop() {
        waiter.close();
        store.close();
        server.close();
    }

    /** A store in memory, or what it does instead. */
    private static class Looked implements SnapshotStore {
        final ConcurrentLinkedQueue<List<String>> looks = new ConcurrentLinkedQueue<>();

        @Override
        public CompletionStage<Put> put(String key, byte[] document, Duration timeToLive) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive) {
            throw new UnsupportedOperationException();
        }

        @Override
        public CompletionStage<List<byte[]>> look(List<String> keys) {
            looks.add(List.copyOf(keys));
            List<byte[]> nothing = new ArrayList<>();
            keys.forEach(key -> nothing.add(null));
            return CompletableFuture.completedFuture(nothing);
        }

        @Override
        public CompletionStage<Void> ping() {
            throw new UnsupportedOperationException();
        }

        @Override
        public void close() {}
    }

    private static WaitOptions options(int timeout, int poll, int tries) {
        return new WaitOptions(Duration.ofMillis(timeout), Duration.ofMillis(poll), tries);
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().equals("mirror-snapshot-wait"))
                .count();
    }

    @Test
    void what_is_there_is_found_by_the_first_look() {
        await(store.put("snapshot:a", bytes("a"), TTL));
        Waited.Hit hit = assertInstanceOf(Waited.Hit.class, await(waiter.wait("snapshot:a")));
        assertArrayEquals(bytes("a"), hit.value());
        assertTrue(hit.atOnce());
        // In a namespace is just another key.
        await(store.put("shop:snapshot/run-7:a", bytes("b"), TTL));
        assertArrayEquals(bytes("b"), ((Waited.Hit) await(waiter.wait("shop:snapshot/run-7:a"))).value());
    }

    @Test
    void what_comes_later_is_found_by_one_of_the_next_looks() {
        try (Waiter patient = new Waiter(store, options(30_000, 100, 50))) {
            long looks = server.calls("mget");
            CompletableFuture<Waited> wait = patient.wait("snapshot:late");
            CompletableFuture<Waited> same = patient.wait("snapshot:late");
            RedisServer.until("some looks", StoreSteps.RECOVERS_WITHIN, () -> server.calls("mget") > looks + 3);
            assertFalse(wait.isDone());
            assertEquals(2, patient.waiting());
            server.ask("SET", "snapshot:late", "a");
            Waited.Hit hit = assertInstanceOf(Waited.Hit.class, await(wait));
            assertFalse(hit.atOnce());
            assertInstanceOf(Waited.Hit.class, await(same));
            RedisServer.until("nobody waits", StoreSteps.RECOVERS_WITHIN, () -> patient.waiting() == 0);
        }
    }

    @Test
    void what_does_not_come_is_missing_in_time() {
        Waited.Missing missing = assertInstanceOf(Waited.Missing.class, await(waiter.wait("snapshot:none")));
        long millis = missing.waited().toMillis();
        assertTrue(millis >= 2000, millis + " ms");
        try (Waiter once = new Waiter(store, options(0, 100, 3))) {
            long looks = server.calls("mget");
            assertInstanceOf(Waited.Missing.class, await(once.wait("snapshot:none")));
            assertEquals(looks + 1, server.calls("mget"));
        }
    }

    @Test
    void three_looks_that_fail_in_a_row_are_an_unavailable_store() {
        await(store.put("snapshot:a", bytes("a"), TTL));
        server.kill();
        Waited.Unavailable gone = assertInstanceOf(Waited.Unavailable.class, await(waiter.wait("snapshot:a")));
        assertInstanceOf(StoreException.class, gone.why());
        assertTrue(gone.waited().toMillis() >= 100, gone.waited().toString());
        // One that comes back in time is none.
        CompletableFuture<Waited> wait = new Waiter(store, options(30_000, 500, 100)).wait("snapshot:b");
        server.restart();
        server.ask("SET", "snapshot:b", "b");
        assertArrayEquals(bytes("b"), assertInstanceOf(Waited.Hit.class, await(wait)).value());
    }

    @Test
    void failed_looks_are_counted_in_a_row_and_for_each_wait() {
        var count = new AtomicInteger();
        // Every third answers.
        SnapshotStore moody = new Looked() {
            @Override
            public CompletionStage<List<byte[]>> look(List<String> keys) {
                int n = count.incrementAndGet();
                if (n % 3 != 0) {
                    throw new IllegalStateException("moody");
                }
                return super.look(keys);
            }
        };
        try (Waiter patient = new Waiter(moody, options(300, 20, 3))) {
            assertInstanceOf(Waited.Missing.class, await(patient.wait("a")));
        }
        try (Waiter impatient = new Waiter(moody, options(30_000, 20, 2))) {
            Waited.Unavailable gone = assertInstanceOf(Waited.Unavailable.class, await(impatient.wait("a")));
            assertEquals("moody", gone.why().getMessage());
        }
    }

    @Test
    void what_no_look_has_answered_is_not_known_to_be_missing() {
        SnapshotStore silent = new Looked() {
            @Override
            public CompletionStage<List<byte[]>> look(List<String> keys) {
                throw new IllegalStateException("silent");
            }
        };
        try (Waiter hasty = new Waiter(silent, options(0, 20, 3))) {
            assertInstanceOf(Waited.Unavailable.class, await(hasty.wait("a")));
        }
    }

    @Test
    void a_store_that_answers_nonsense_is_unavailable() {
        List<CompletionStage<List<byte[]>>> answers = new ArrayList<>();
        answers.add(null);
        answers.add(CompletableFuture.completedFuture(null));
        answers.add(CompletableFuture.completedFuture(List.of(bytes("a"), bytes("b"))));
        for (CompletionStage<List<byte[]>> answer : answers) {
            SnapshotStore wrong = new Looked() {
                @Override
                public CompletionStage<List<byte[]>> look(List<String> keys) {
                    return answer;
                }
            };
            try (Waiter none = new Waiter(wrong, options(30_000, 20, 2))) {
                assertInstanceOf(Waited.Unavailable.class, await(none.wait("a")));
            }
        }
    }

    @Test
    void five_thousand_wait_at_once_with_few_commands() {
        server.ask("CONFIG", "RESETSTAT");
        // Patient: what is counted here are commands, and a JVM that has just begun is slow with thousands of anything.
        try (Waiter many = new Waiter(store, options(10_000, 100, 50))) {
            List<CompletableFuture<Waited>> waits = new ArrayList<>();
            for (int n = 0; n < 5000; n++) {
                waits.add(many.wait("snapshot:many-" + n));
            }
            sleep(450);
            List<String> all = new ArrayList<>(List.of("MSET"));
            for (int n = 0; n < 5000; n++) {
                all.addAll(List.of("snapshot:many-" + n, "v" + n));
            }
            server.ask(all.toArray(String[]::new));
            for (int n = 0; n < 5000; n++) {
                assertArrayEquals(bytes("v" + n), assertInstanceOf(Waited.Hit.class, await(waits.get(n))).value());
            }
        }
        long commands = server.calls("mget");
        assertTrue(commands < 400, commands + " commands");
    }

    @Test
    void a_key_is_asked_for_once_whoever_waits_for_it_and_512_at_once() {
        Looked looked = new Looked();
        try (Waiter many = new Waiter(looked, options(200, 50, 3))) {
            List<CompletableFuture<Waited>> waits = new ArrayList<>();
            for (int n = 0; n < 2000; n++) {
                waits.add(many.wait("k" + n / 2));
            }
            waits.forEach(wait -> assertInstanceOf(Waited.Missing.class, await(wait)));
        }
        for (List<String> keys : looked.looks) {
            assertTrue(keys.size() <= 512);
            assertEquals(keys.size(), keys.stream().distinct().count());
        }
    }

    @Test
    void who_does_not_wait_any_more_is_not_looked_for() {
        Looked looked = new Looked();
        try (Waiter waiter = new Waiter(looked, options(10_000, 20, 3))) {
            CompletableFuture<Waited> stays = waiter.wait("stays");
            CompletableFuture<Waited> goes = waiter.wait("goes");
            RedisServer.until("both are looked for", StoreSteps.RECOVERS_WITHIN, () -> looked.looks.contains(List.of("stays", "goes")));
            goes.cancel(false);
            RedisServer.until("one waits", StoreSteps.RECOVERS_WITHIN, () -> waiter.waiting() == 1);
            looked.looks.clear();
            RedisServer.until("more looks", StoreSteps.RECOVERS_WITHIN, () -> looked.looks.size() > 3);
            assertTrue(looked.looks.stream().allMatch(List.of("stays")::equals));
            assertFalse(stays.isDone());
            assertThrows(RuntimeException.class, goes::join);
        }
    }

    @Test
    void there_is_a_most_of_waits() {
        try (Waiter waiter = new Waiter(new Looked(), options(60_000, 200, 3))) {
            List<CompletableFuture<Waited>> waits = new ArrayList<>();
            for (int n = 0; n < 100_000; n++) {
                waits.add(waiter.wait("k" + n));
            }
            assertInstanceOf(Waited.Unavailable.class, await(waiter.wait("one more")));
            assertEquals(100_000, waiter.waiting());
            waits.forEach(wait -> wait.cancel(false));
            RedisServer.until("nobody waits", StoreSteps.RECOVERS_WITHIN, () -> waiter.waiting() == 0);
            assertFalse(waiter.wait("now there is room").isDone());
        }
    }

    @Test
    void the_thread_is_there_while_somebody_waits() {
        RedisServer.until("other waiters' threads end", StoreSteps.RECOVERS_WITHIN, () -> threads() == 0);
        try (Waiter waiter = new Waiter(new Looked(), options(100, 20, 3))) {
            assertEquals(0, threads());
            assertInstanceOf(Waited.Missing.class, await(waiter.wait("a")));
            assertEquals(1, threads());
            RedisServer.until("it ends", StoreSteps.RECOVERS_WITHIN, () -> threads() == 0);
            assertInstanceOf(Waited.Missing.class, await(waiter.wait("a")));
            assertEquals(1, threads());
        }
    }

    @Test
    void nobody_is_left_waiting_at_the_end() {
        Waiter waiter = new Waiter(new Looked(), options(60_000, 20, 3));
        CompletableFuture<Waited> wait = waiter.wait("a");
        waiter.close();
        assertInstanceOf(Waited.Unavailable.class, await(wait));
        assertInstanceOf(Waited.Unavailable.class, await(waiter.wait("a")));
        RedisServer.until("nobody waits", StoreSteps.RECOVERS_WITHIN, () -> waiter.waiting() == 0);
    }

    @Test
    void what_depends_on_a_wait_cannot_end_the_thread() {
        try (Waiter waiter = new Waiter(new Looked(), options(50, 20, 3))) {
            waiter.wait("a").thenAccept(waited -> {
                throw new StackOverflowError();
            });
            assertInstanceOf(Waited.Missing.class, await(waiter.wait("b")));
        }
    }
}
