package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.TTL;
import static dev.mirror.snapshot.store.StoreSteps.await;
import static dev.mirror.snapshot.store.StoreSteps.bytes;
import static dev.mirror.snapshot.store.StoreSteps.connected;
import static dev.mirror.snapshot.store.StoreSteps.fails;
import static dev.mirror.snapshot.store.StoreSteps.open;
import static dev.mirror.snapshot.store.StoreSteps.refused;
import static dev.mirror.snapshot.store.StoreSteps.returnsBeforeItEnds;
import static dev.mirror.snapshot.store.StoreSteps.untilFiled;
import static dev.mirror.snapshot.store.StoreSteps.works;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.store.SnapshotStore.Put;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A store that is away, silent, full or not allowed: no caller waits, every call ends in time, and it is found again. */
@Tag("once")
class StoreFaultsTest {
    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void an_absent_server_is_found_when_it_starts(StoreClient client) {
        int port = RedisServer.freePort();
        try (SnapshotStore store = open("redis://127.0.0.1:" + port, client)) {
            String why = fails(() -> store.put("snapshot:a", bytes("a"), TTL));
            assertTrue(why.contains("redis://127.0.0.1:" + port), why);
            for (int n = 0; n < 50; n++) {
                fails(() -> store.look(List.of("snapshot:a")));
            }
            assertTrue(fails(store::ping).contains("not reached"));
            try (RedisServer server = RedisServer.startOn(port)) {
                int tried = untilFiled(store, "late");
                assertTrue(server.calls("set") <= tried);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_silent_server_is_waited_for_by_nobody(StoreClient client) {
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = connected(server.url(), client)) {
            int before = untilFiled(store, "before");
            server.freeze();
            List<CompletionStage<Put>> puts = new ArrayList<>();
            for (int n = 0; n < 200; n++) {
                puts.add(store.put("snapshot:frozen-" + n, bytes("a"), TTL));
            }
            puts.forEach(put -> fails(() -> put));
            // Again and again: some connect in vain, most fail at once.
            for (int n = 0; n < 20; n++) {
                String key = "snapshot:silent-" + n;
                fails(() -> store.put(key, bytes("a"), TTL));
            }
            List<SnapshotStore> others = new ArrayList<>();
            returnsBeforeItEnds(store::ping);
            returnsBeforeItEnds(() -> store.look(List.of("snapshot:before-1")));
            // Nor does opening a store wait.
            returnsBeforeItEnds(() -> {
                others.add(open(server.url(), client));
                return others.get(others.size() - 1).ping();
            });
            others.forEach(SnapshotStore::close);
            server.thaw();
            int tried = untilFiled(store, "thawed");
            assertTrue(server.calls("set") <= before + 200 + 20 + tried);
            assertEquals("", server.ask("GET", "snapshot:none"));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_silent_server_that_takes_no_more_bytes_is_given_up(StoreClient client) {
        byte[] large = new byte[1 << 20];
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = connected(server.url(), client)) {
            server.freeze();
            List<CompletionStage<Put>> puts = new ArrayList<>();
            for (int n = 0; n < 40; n++) {
                puts.add(store.put("snapshot:large-" + n, large, TTL));
            }
            puts.forEach(put -> fails(() -> put));
            server.thaw();
            untilFiled(store, "thawed");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_server_that_starts_anew_is_found_again(StoreClient client) {
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = connected(server.url(), client)) {
            untilFiled(store, "before");
            server.kill();
            for (int n = 0; n < 20; n++) {
                fails(() -> store.put("snapshot:a", bytes("a"), TTL));
            }
            server.restart();
            int tried = untilFiled(store, "again");
            assertTrue(server.calls("set") <= tried);
            assertNull(await(store.look(List.of("snapshot:a"))).get(0), "filed by a second try");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void what_had_no_answer_is_not_sent_again(StoreClient client) throws IOException {
        try (CuttingServer server = new CuttingServer();
                SnapshotStore store = connected(server.url(), client)) {
            var tried = new AtomicInteger();
            RedisServer.until("20 are sent", StoreSteps.RECOVERS_WITHIN, () -> {
                String key = "snapshot:cut-" + tried.get();
                String why = fails(() -> store.put(key, bytes("a"), TTL));
                // In a pause it is not sent at all.
                tried.addAndGet(why.contains("tried again in") ? 0 : 1);
                RedisServer.until("it is tried again", StoreSteps.RECOVERS_WITHIN, () -> works(store.ping()));
                return server.sets() >= 20;
            });
            assertTrue(server.sets() <= tried.get(), server.sets() + " sent of " + tried);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_full_server_says_so_and_still_answers(StoreClient client) {
        try (RedisServer server = RedisServer.start("--maxmemory", "1mb", "--maxmemory-policy", "noeviction");
                SnapshotStore store = connected(server.url(), client)) {
            server.ask("CONFIG", "RESETSTAT");
            int many = 20;
            for (int n = 0; n < many; n++) {
                String key = "snapshot:large-" + n;
                String why = refused(() -> store.put(key, new byte[1 << 20], TTL));
                assertTrue(why.contains("OOM") && why.contains("it is full"), why);
            }
            RedisServer.until("it answers", StoreSteps.RECOVERS_WITHIN, () -> works(store.look(List.of("snapshot:large-0"))));
            // A refusal does not end a connection. Jedis has several, and a server that stands still costs some.
            String connections = server.ask("INFO", "stats").replaceAll("(?s).*total_connections_received:(\\d+).*", "$1");
            assertTrue(Integer.parseInt(connections) <= many / 2, connections);
            server.ask("CONFIG", "SET", "maxmemory", "64mb");
            untilFiled(store, "small");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_wrong_password_is_told_without_being_shown(StoreClient client) {
        try (RedisServer server = RedisServer.start("--requirepass", "right")) {
            try (SnapshotStore store = open(server.url().replace("//", "//:wr0ng@"), client)) {
                RedisServer.until("the server's refusal", StoreSteps.RECOVERS_WITHIN, () -> {
                    String why = fails(store::ping);
                    assertFalse(why.contains("wr0ng"), why);
                    return why.contains("WRONGPASS") && why.contains("check user and password");
                });
            }
            try (SnapshotStore store = open(server.url(), client)) {
                RedisServer.until("the server's refusal", StoreSteps.RECOVERS_WITHIN, () -> {
                    String why = fails(() -> store.put("snapshot:a", bytes("a"), TTL));
                    return why.contains("NOAUTH") && why.contains("check user and password");
                });
            }
            try (SnapshotStore store = connected(server.url().replace("//", "//:right@"), client)) {
                untilFiled(store, "login");
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_user_with_few_rights_needs_no_more(StoreClient client) {
        try (RedisServer server = RedisServer.start("--user", "shop", "on", ">p@ss", "~shop:snapshot*", "+get", "+mget", "+set", "+ping");
                SnapshotStore store = connected(server.url().replace("//", "//shop:p%40ss@") + "?prefix=shop%3A", client)) {
            StoreSteps.check(store, "shop:snapshot:contract");
            String why = refused(() -> store.put("other:snapshot:a", bytes("a"), TTL));
            assertTrue(why.contains("NOPERM") && why.contains("~shop:snapshot*"), why);
            assertEquals(Put.FILED, await(store.put("shop:snapshot:b", bytes("a"), TTL)));
            String lists = fails(() -> store.putListed("shop:snapshot:c.1", bytes("a"), TTL, "shop:snapshot:c 7", bytes("entry")));
            assertTrue(lists.contains("NOPERM") && lists.contains("+rpush +pexpire"), lists);
            server.ask("ACL", "SETUSER", "shop", "+rpush", "+pexpire");
            await(store.putListed("shop:snapshot:c.2", bytes("a"), TTL, "shop:snapshot:c 7", bytes("entry")));
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_replica_is_given_up_until_it_is_the_master(StoreClient client) {
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = connected(server.url(), client)) {
            untilFiled(store, "before");
            server.ask("REPLICAOF", "127.0.0.1", Integer.toString(RedisServer.freePort()));
            String why = refused(() -> store.put("snapshot:a", bytes("a"), TTL));
            assertTrue(why.contains("READONLY") && why.contains("redis+sentinel://"), why);
            server.ask("REPLICAOF", "NO", "ONE");
            untilFiled(store, "master");
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void many_calls_at_once_are_bounded(StoreClient client) {
        try (RedisServer server = RedisServer.start();
                SnapshotStore store = connected(server.url(), client)) {
            server.freeze();
            List<CompletionStage<Void>> pings = new ArrayList<>();
            for (int n = 0; n < 5000; n++) {
                pings.add(store.ping());
            }
            long refused = pings.stream()
                    .filter(ping -> ping.toCompletableFuture().isCompletedExceptionally())
                    .count();
            assertTrue(refused >= 900, "at once: " + refused);
            pings.forEach(ping -> fails(() -> ping));
            server.thaw();
            untilFiled(store, "thawed");
        }
    }
}
