package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.TTL;
import static dev.mirror.snapshot.store.StoreSteps.bytes;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

@Tag("once")
class FilingsTest {
    private static final int MAX_ATTEMPTS = 20;

    /** Counts what it is told. */
    private static final class Counted implements Filings.Listener {
        final AtomicInteger filed = new AtomicInteger();
        final AtomicInteger collided = new AtomicInteger();
        final AtomicInteger dropped = new AtomicInteger();
        final Queue<Throwable> failed = new ConcurrentLinkedQueue<>();

        @Override
        public void filed() {
            filed.incrementAndGet();
        }

        @Override
        public void collided() {
            collided.incrementAndGet();
        }

        @Override
        public void dropped() {
            dropped.incrementAndGet();
        }

        @Override
        public void failed(Throwable why) {
            failed.add(why);
        }

        /** Documents that were not filed because the store stood still. */
        long givenUp() {
            return dropped.get() + failed.stream().filter(why -> StoreSteps.isSilence(String.valueOf(why.getMessage()))).count();
        }

        int all() {
            return filed.get() + collided.get() + dropped.get() + failed.size();
        }

        void until(int many) {
            RedisServer.until(many + " are told", StoreSteps.RECOVERS_WITHIN, () -> all() == many);
        }
    }

    /** What is to be found when so many are told. */
    @FunctionalInterface
    private interface Check {
        void of(RedisServer server, Filings filings, Counted told);
    }

    /**
     * Files so many in a store of their own, and again when one was given up: that happens when the store does not answer in time,
     * because the machine stands still.
     */
    private static void filed(int many, Consumer<Filings> filing, Check check) {
        Counted told = new Counted();
        for (int n = 0; n < MAX_ATTEMPTS; n++) {
            told = new Counted();
            try (RedisServer server = RedisServer.start();
                    SnapshotStore store = StoreSteps.connected(server.url(), StoreClient.LETTUCE);
                    Filings filings = new Filings(store, TTL, told)) {
                filing.accept(filings);
                told.until(many);
                if (told.givenUp() == 0) {
                    check.of(server, filings, told);
                    return;
                }
            }
        }
        throw new AssertionError("given up: " + told.dropped + " dropped, failed: " + told.failed);
    }

    /** A document that keeps the queue's thread until it is released: meanwhile nothing is put. */
    private static final class HeldDocument implements Supplier<byte[]> {
        private final CountDownLatch released = new CountDownLatch(1);

        @Override
        public byte[] get() {
            try {
                released.await();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
            return bytes("a");
        }

        void release() {
            released.countDown();
        }
    }

    /** A store that takes documents, and does nothing else. */
    @FunctionalInterface
    private interface PutsOnly extends SnapshotStore {
        @Override
        default CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry) {
            throw new UnsupportedOperationException();
        }

        @Override
        default CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive) {
            throw new UnsupportedOperationException();
        }

        @Override
        default CompletionStage<List<byte[]>> look(List<String> keys) {
            throw new UnsupportedOperationException();
        }

        @Override
        default CompletionStage<Void> ping() {
            throw new UnsupportedOperationException();
        }

        @Override
        default void close() {}
    }

    /** Answers when it is told to; a store that stands still. */
    private static final class Held implements PutsOnly {
        final Queue<CompletableFuture<Put>> puts = new ConcurrentLinkedQueue<>();

        @Override
        public CompletionStage<Put> put(String key, byte[] document, Duration timeToLive) {
            CompletableFuture<Put> put = new CompletableFuture<>();
            puts.add(put);
            return put;
        }
    }

    private final Counted told = new Counted();

    @Test
    void documents_are_filed_and_how_it_ended_is_told() {
        filed(501, filings -> {
            for (int n = 0; n < 500; n++) {
                String key = "snapshot:" + n;
                assertTrue(filings.file(key, () -> bytes("v" + key), 100));
            }
            // Another batch than that of the first document with this key.
            filings.file("snapshot:7", () -> bytes("other"), 100);
        }, (server, filings, told) -> {
            assertEquals(500, told.filed.get());
            assertEquals("vsnapshot:8", server.ask("GET", "snapshot:8"));
            assertEquals(1, told.collided.get());
            assertEquals("{\"mirror\":1,\"collided\":true}", server.ask("GET", "snapshot:7"));
            assertEquals(501 + 1, server.calls("set"));
            assertEquals(0, filings.pendingDocuments());
            assertEquals(0, filings.pendingBytes());
        });
    }

    @Test
    void one_of_several_identical_requests_is_listed_and_only_after_it_was_filed() {
        filed(3, filings -> {
            for (String number : List.of("1", "2", "1")) {
                var listing = new Filings.Listing("snapshot:a 7", () -> bytes("entry " + number));
                assertTrue(filings.file("snapshot:a." + number, () -> bytes("document " + number), listing, 100));
            }
        }, (server, filings, told) -> {
            assertEquals(2, told.filed.get());
            assertEquals(1, told.failed.size());
            assertEquals("document 1", server.ask("GET", "snapshot:a.1"));
            assertEquals("entry 1\nentry 2", server.ask("LRANGE", "snapshot:a 7", "0", "-1"));
            assertEquals(0, filings.pendingDocuments());
        });
    }

    @Test
    void what_stands_there_can_be_replaced() {
        filed(3, filings -> {
            for (String document : List.of("first", "second", "last")) {
                assertTrue(filings.replace("effects/a:b", () -> bytes(document), 100));
            }
        }, (server, filings, told) -> {
            assertEquals(3, told.filed.get());
            assertEquals("last", server.ask("GET", "effects/a:b"));
            assertEquals(3, server.calls("set"));
            assertEquals(0, filings.pendingDocuments());
            assertEquals(0, filings.pendingBytes());
        });
    }

    @Test
    void a_document_that_cannot_be_made_is_counted_and_the_next_is_filed() {
        filed(4, filings -> {
            filings.file("snapshot:a", () -> null, 10);
            filings.file("snapshot:b", () -> {
                throw new IllegalStateException("cannot be encoded");
            }, 10);
            filings.file("snapshot:c", () -> {
                throw new StackOverflowError();
            }, 10);
            filings.file("snapshot:d", () -> bytes("d"), 10);
        }, (server, filings, told) -> {
            assertEquals(1, told.filed.get());
            assertEquals(3, told.failed.size());
            assertTrue(told.failed.stream().anyMatch(why -> "cannot be encoded".equals(why.getMessage())));
        });
    }

    @Test
    void what_is_too_much_is_dropped_at_once() {
        Held held = new Held();
        HeldDocument first = new HeldDocument();
        HeldDocument second = new HeldDocument();
        try (Filings filings = new Filings(held, TTL, 10, 1000, told)) {
            for (int n = 0; n < 10; n++) {
                assertTrue(filings.file("k", first, 50));
            }
            assertFalse(filings.file("k", () -> bytes("a"), 50));
            assertEquals(1, told.dropped.get());
            assertEquals(10, filings.pendingDocuments());
            assertEquals(500, filings.pendingBytes());
            first.release();
            RedisServer.until("they end", StoreSteps.RECOVERS_WITHIN, () -> {
                held.puts.forEach(put -> put.complete(SnapshotStore.Put.FILED));
                return told.all() == 11;
            });
            assertTrue(filings.file("k", second, 1000));
            assertFalse(filings.file("k", () -> bytes("a"), 1));
            assertFalse(filings.file("k", () -> bytes("a"), Integer.MAX_VALUE));
            assertEquals(1000, filings.pendingBytes());
            second.release();
        }
        told.until(14);
    }

    @Test
    void a_store_that_stands_still_costs_documents_and_no_time() {
        Held held = new Held();
        int many = 20_000;
        try (Filings filings = new Filings(held, TTL, told)) {
            // Who waited for this store would not come back.
            for (int n = 0; n < many; n++) {
                filings.file("k" + n, () -> bytes("a"), 1000);
            }
            assertTrue(filings.pendingDocuments() <= 1024);
            RedisServer.until("the first are given up", StoreSteps.RECOVERS_WITHIN, () -> told.failed.size() >= 128);
        }
        told.until(many);
        assertEquals(0, told.filed.get());
    }

    @Test
    void a_dead_store_fails_each_document_and_is_found_again() {
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = StoreSteps.connected(server.url(), StoreClient.JEDIS);
                Filings filings = new Filings(store, TTL, told)) {
            server.kill();
            for (int n = 0; n < 300; n++) {
                String key = "snapshot:dead-" + n;
                filings.file(key, () -> bytes(key), 100);
            }
            told.until(300);
            assertEquals(0, told.filed.get());
            told.failed.forEach(why -> assertInstanceOf(StoreException.class, why));
            server.restart();
            RedisServer.until("filed again", StoreSteps.RECOVERS_WITHIN, () -> {
                filings.file("snapshot:again-" + told.all(), () -> bytes("a"), 100);
                return told.filed.get() > 0;
            });
        }
    }

    @Test
    void the_end_waits_a_second_for_what_is_queued_and_drops_the_rest() {
        Held held = new Held();
        int many = 100_000;
        Filings filings = new Filings(held, TTL, many, 10L * many, told);
        for (int n = 0; n < many; n++) {
            filings.file("k", () -> bytes("a"), 10);
        }
        RedisServer.until("the first are put", StoreSteps.RECOVERS_WITHIN, () -> !held.puts.isEmpty());
        filings.close();
        // The store never answers, and each batch waits a second for it: all of them would take a quarter of an hour.
        told.until(many);
        assertEquals(held.puts.size(), told.failed.size());
        assertTrue(told.dropped.get() > many / 2, told.dropped + " dropped");
        assertFalse(filings.file("k", () -> bytes("a"), 10));
        assertEquals(many + 1, told.all());
        assertEquals(0, filings.pendingDocuments());
        assertEquals(0, filings.pendingBytes());
        filings.close();
    }

    @Test
    void the_end_files_what_is_queued_where_the_store_answers() {
        filed(100, filings -> {
            for (int n = 0; n < 100; n++) {
                filings.file("snapshot:" + n, () -> bytes("a"), 10);
            }
            filings.close();
        }, (server, filings, told) -> assertEquals(100, told.filed.get(), () -> "failed: " + told.failed));
    }

    @Test
    void many_threads_lose_nothing_without_a_count() throws InterruptedException {
        int threads = 8;
        int each = 5000;
        var start = new CountDownLatch(1);
        PutsOnly atOnce = (key, document, timeToLive) -> CompletableFuture.completedFuture(SnapshotStore.Put.FILED);
        Filings filings = new Filings(atOnce, TTL, 100, 1 << 20, told);
        List<Thread> all = IntStream.range(0, threads).mapToObj(t -> new Thread(() -> {
            try {
                start.await();
            } catch (InterruptedException e) {
                return;
            }
            for (int n = 0; n < each; n++) {
                filings.file("k", () -> bytes("a"), 10);
                if (n == each / 2 && t == 0) {
                    filings.close();
                }
            }
        })).toList();
        all.forEach(Thread::start);
        start.countDown();
        for (Thread thread : all) {
            thread.join();
        }
        filings.close();
        told.until(threads * each);
        assertTrue(told.filed.get() > 0);
        assertEquals(0, filings.pendingDocuments());
        assertEquals(0, filings.pendingBytes());
    }

    @Test
    void a_listener_that_throws_harms_nobody() {
        Filings.Listener broken = new Filings.Listener() {
            @Override
            public void filed() {
                throw new IllegalStateException();
            }

            @Override
            public void collided() {
                throw new IllegalStateException();
            }

            @Override
            public void dropped() {
                throw new IllegalStateException();
            }

            @Override
            public void failed(Throwable why) {
                throw new IllegalStateException();
            }
        };
        HeldDocument document = new HeldDocument();
        try (Filings filings = new Filings(new Held(), TTL, 1, 1000, broken)) {
            assertTrue(filings.file("k", () -> null, 10));
            RedisServer.until("it is done with", StoreSteps.RECOVERS_WITHIN, () -> filings.pendingDocuments() == 0);
            assertTrue(filings.file("k", document, 10));
            assertFalse(filings.file("k", () -> bytes("a"), 10));
            document.release();
        }
    }

    @Test
    void a_queue_without_room_is_refused() {
        assertThrows(IllegalArgumentException.class, () -> new Filings(new Held(), TTL, 0, 1, told));
        assertThrows(IllegalArgumentException.class, () -> new Filings(new Held(), TTL, 1, 0, told));
    }
}
