package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.TTL;
import static dev.mirror.snapshot.store.StoreSteps.await;
import static dev.mirror.snapshot.store.StoreSteps.bytes;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.store.SnapshotStore.Put;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What every store does, through both clients. */
class StoreContractTest {
    private static RedisServer server;

    @BeforeAll
    static void start() {
        server = RedisServer.start();
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    private static SnapshotStore open(StoreClient client) {
        return StoreSteps.connected(server.url(), client);
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void what_was_filed_is_found(StoreClient client) {
        try (SnapshotStore store = open(client)) {
            StoreSteps.check(store, "snapshot:contract-" + client);
            await(store.ping());
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_second_request_with_the_key_leaves_the_mark_of_a_collision(StoreClient client) {
        String key = "snapshot:twice-" + client;
        try (SnapshotStore store = open(client)) {
            assertEquals(Put.FILED, await(store.put(key, bytes("a"), TTL)));
            assertEquals("a", server.ask("GET", key));
            assertEquals(Put.COLLIDED, await(store.put(key, bytes("a"), TTL)));
            assertEquals("{\"mirror\":1,\"collided\":true}", server.ask("GET", key));
            assertTrue(Long.parseLong(server.ask("PTTL", key)) > TTL.toMillis() - 10_000);
            assertEquals(Put.COLLIDED, await(store.put(key, bytes("c"), TTL)));
            assertEquals("{\"mirror\":1,\"collided\":true}", server.ask("GET", key));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_document_takes_the_place_of_another_one(StoreClient client) {
        String key = "effects/contract:replaced-" + client;
        server.ask("SET", key, "of before");
        try (SnapshotStore store = open(client)) {
            await(store.replace(key, bytes("a"), TTL));
            assertEquals("a", server.ask("GET", key));
            long left = Long.parseLong(server.ask("PTTL", key));
            assertTrue(left > TTL.toMillis() - 10_000 && left <= TTL.toMillis(), left + " ms");
            await(store.replace(key, bytes("b"), TTL));
            assertEquals("b", server.ask("GET", key));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_listed_snapshot_is_never_written_over_and_listed_once(StoreClient client) {
        String key = "snapshot:listed-" + client;
        String list = key + " 7";
        try (SnapshotStore store = open(client)) {
            await(store.putListed(key + ".1", bytes("a"), TTL, list, bytes("entry 1")));
            await(store.putListed(key + ".2", bytes("b"), TTL, list, bytes("entry 2")));
            String why = StoreSteps.fails(() -> store.putListed(key + ".1", bytes("c"), TTL, list, bytes("entry 3")));
            assertTrue(why.contains("not filed"), why);
            assertEquals("a", server.ask("GET", key + ".1"));
            assertEquals("entry 1\nentry 2", server.ask("LRANGE", list, "0", "-1"));
            assertTrue(Long.parseLong(server.ask("PTTL", key + ".1")) <= TTL.toMillis());
            long left = Long.parseLong(server.ask("PTTL", list));
            assertTrue(left > TTL.toMillis() + 50_000 && left <= TTL.toMillis() + 60_000, left + " ms");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void what_cannot_be_listed_has_failed_and_the_next_step_is_not_done(StoreClient client) {
        String key = "snapshot:unlisted-" + client;
        server.ask("SET", key + " 7", "no list");
        try (SnapshotStore store = open(client)) {
            String why = StoreSteps.fails(() -> store.putListed(key + ".1", bytes("a"), TTL, key + " 7", bytes("entry")));
            assertTrue(why.contains("WRONGTYPE"), why);
            assertEquals("a", server.ask("GET", key + ".1"));
            assertEquals("-1", server.ask("PTTL", key + " 7"));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_snapshot_is_there_until_its_time_is_over(StoreClient client) throws InterruptedException {
        String key = "snapshot:short-" + client;
        try (SnapshotStore store = open(client)) {
            await(store.put(key, bytes("a"), Duration.ofMillis(150)));
            assertTrue(Long.parseLong(server.ask("PTTL", key)) <= 150);
            assertEquals(1, await(store.look(List.of(key))).size());
            Thread.sleep(250);
            assertNull(await(store.look(List.of(key))).get(0));
            assertEquals(Put.FILED, await(store.put(key, bytes("b"), Duration.ofNanos(1))));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void any_bytes_come_back(StoreClient client) {
        byte[] all = new byte[256];
        IntStream.range(0, 256).forEach(n -> all[n] = (byte) n);
        byte[] large = new byte[1 << 20];
        new Random(1).nextBytes(large);
        List<byte[]> values = List.of(all, new byte[0], large, bytes("\r\n$5\r\n"));
        try (SnapshotStore store = open(client)) {
            for (int n = 0; n < values.size(); n++) {
                String key = "snapshot:bytes-%s-ü-%d".formatted(client, n);
                assertEquals(Put.FILED, await(store.put(key, values.get(n), TTL)));
                assertArrayEquals(values.get(n), await(store.look(List.of(key))).get(0));
            }
            assertArrayEquals(all, await(store.look(List.of("snapshot:bytes-%s-ü-0".formatted(client)))).get(0));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void looks_keep_the_order_of_their_keys(StoreClient client) {
        try (SnapshotStore store = open(client)) {
            List<String> keys = new ArrayList<>();
            for (int n = 0; n < 1000; n++) {
                keys.add("snapshot:order-" + client + "-" + n);
            }
            List<CompletionStage<Put>> puts = new ArrayList<>();
            for (int n = 0; n < keys.size(); n += 2) {
                puts.add(store.put(keys.get(n), bytes("v" + n), TTL));
            }
            puts.forEach(StoreSteps::await);
            Collections.shuffle(keys, new Random(2));
            List<byte[]> found = await(store.look(keys));
            for (int i = 0; i < keys.size(); i++) {
                int n = Integer.parseInt(keys.get(i).substring(keys.get(i).lastIndexOf('-') + 1));
                assertArrayEquals(n % 2 == 0 ? bytes("v" + n) : null, found.get(i));
            }
            String one = "snapshot:order-" + client + "-0";
            List<byte[]> twice = await(store.look(Arrays.asList(one, "snapshot:none", one)));
            assertArrayEquals(bytes("v0"), twice.get(0));
            assertNull(twice.get(1));
            assertArrayEquals(bytes("v0"), twice.get(2));
            assertEquals(List.of(), await(store.look(List.of())));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_database_of_its_own_is_one(StoreClient client) {
        String key = "snapshot:database-" + client;
        try (SnapshotStore store = StoreSteps.connected(server.url() + "/3", client)) {
            await(store.put(key, bytes("a"), TTL));
            assertEquals("", server.ask("GET", key));
            assertArrayEquals(bytes("a"), await(store.look(List.of(key))).get(0));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_closed_store_fails_at_once_and_leaves_no_thread(StoreClient client) {
        Set<Thread> others = StoreSteps.threads();
        SnapshotStore store = open(client);
        await(store.ping());
        CompletableFuture<Put> last = store.put("snapshot:last", bytes("a"), TTL).toCompletableFuture();
        store.close();
        store.close();
        RedisServer.until("the last call ends", StoreSteps.RECOVERS_WITHIN, last::isDone);
        CompletableFuture<Void> after = store.ping().toCompletableFuture();
        RedisServer.until("a call after the end fails", StoreSteps.RECOVERS_WITHIN, after::isCompletedExceptionally);
        RedisServer.until("no thread is left", StoreSteps.RECOVERS_WITHIN, () -> others.containsAll(StoreSteps.threads()));
        assertEquals(0, server.ask("CLIENT", "LIST").lines().filter(line -> line.contains("cmd=set")).count());
    }
}
