package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.TTL;
import static dev.mirror.snapshot.store.StoreSteps.await;
import static dev.mirror.snapshot.store.StoreSteps.bytes;
import static dev.mirror.snapshot.store.StoreSteps.check;
import static dev.mirror.snapshot.store.StoreSteps.connected;
import static dev.mirror.snapshot.store.StoreSteps.fails;
import static dev.mirror.snapshot.store.StoreSteps.untilFiled;
import static dev.mirror.snapshot.store.StoreSteps.works;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Redis as people run it: Sentinel, with a failover, and Cluster, with a node that is silent and slots that move. */
@Tag("once")
class StoreTopologiesTest {
    /** Long enough for an election among sentinels. */
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final int SLOTS = 16384;

    @Test
    void a_sentinel_trio_names_the_master_also_after_a_failover() {
        List<RedisServer> all = new ArrayList<>();
        try {
            RedisServer master = add(all, RedisServer.start());
            add(all, RedisServer.start("--replicaof", "127.0.0.1 " + master.port()));
            List<RedisServer> trio = new ArrayList<>();
            for (int n = 0; n < 3; n++) {
                trio.add(add(all, RedisServer.sentinel(master.port(), "requirepass s3ntinel", "sentinel sentinel-pass s3ntinel")));
            }
            BooleanSupplier agree = () -> trio.stream().allMatch(sentinel ->
                    sentinel.askAs("s3ntinel", "SENTINEL", "CKQUORUM", "main").startsWith("OK 3")
                            && sentinel.askAs("s3ntinel", "SENTINEL", "REPLICAS", "main").contains("runid"));
            RedisServer.until("the trio's agreement", LIMIT, agree);
            String url = "redis+sentinel://" + addresses(trio) + "/main?sentinel-password=s3ntinel";
            // One that is silent is passed over.
            trio.get(0).freeze();
            try (SnapshotStore lettuce = connected(url, StoreClient.LETTUCE);
                    SnapshotStore jedis = connected(url, StoreClient.JEDIS)) {
                check(lettuce, "snapshot:lettuce");
                check(jedis, "snapshot:jedis");
                trio.get(0).thaw();
                RedisServer.until("the trio's agreement", LIMIT, agree);
                master.kill();
                untilFiled(lettuce, "lettuce-after");
                untilFiled(jedis, "jedis-after");
                check(lettuce, "snapshot:lettuce-2");
                check(jedis, "snapshot:jedis-2");
            }
            try (SnapshotStore unknown = StoreSteps.open(url.replace("/main", "/other"), StoreClient.JEDIS)) {
                RedisServer.until("the name is told to be unknown", LIMIT, () -> fails(unknown::ping).contains("know no master"));
            }
            try (SnapshotStore stranger = StoreSteps.open(url.replace("?sentinel-password=s3ntinel", ""), StoreClient.JEDIS)) {
                RedisServer.until("the sentinels' refusal", LIMIT, () -> fails(stranger::ping).contains("NOAUTH"));
            }
            for (StoreClient client : List.of(StoreClient.LETTUCE, StoreClient.JEDIS)) {
                RedisServer alone = all.get(1);
                try (SnapshotStore none = StoreSteps.open(alone.url().replace("redis:", "redis+cluster:"), client)) {
                    RedisServer.until("no cluster", LIMIT, () -> fails(none::ping).contains("this is no cluster: write redis://"));
                }
                try (SnapshotStore open = StoreSteps.open(alone.url().replace("//", "//:pw@"), client)) {
                    RedisServer.until("no password", LIMIT, () -> fails(open::ping).contains("leave the password out"));
                }
            }
        } finally {
            all.forEach(RedisServer::close);
        }
    }

    @Test
    void a_cluster_of_three_holds_the_keys_among_them() {
        List<RedisServer> nodes = new ArrayList<>();
        try {
            List<Integer> busPorts = new ArrayList<>();
            for (int n = 0; n < 3; n++) {
                busPorts.add(RedisServer.freePort());
                add(nodes, RedisServer.start(
                        "--cluster-enabled", "yes",
                        "--cluster-node-timeout", "1000",
                        // The others still answer when one is silent.
                        "--cluster-require-full-coverage", "no",
                        "--cluster-port", busPorts.get(n).toString()));
            }
            makeCluster(nodes, busPorts);
            String url = "redis+cluster://" + addresses(nodes);
            try (SnapshotStore lettuce = connected(url, StoreClient.LETTUCE);
                    SnapshotStore jedis = connected(url, StoreClient.JEDIS)) {
                check(lettuce, "snapshot:lettuce");
                check(jedis, "snapshot:jedis");
                // A snapshot and its list are on different nodes.
                await(lettuce.putListed("snapshot:lettuce.1", bytes("a"), TTL, "snapshot:lettuce 61", bytes("entry")));
                await(jedis.putListed("snapshot:jedis.1", bytes("a"), TTL, "snapshot:jedis 62", bytes("entry")));
                for (RedisServer node : nodes) {
                    assertTrue(Integer.parseInt(node.ask("DBSIZE")) > 10, "a node holds few");
                }
                moveASlot(nodes, lettuce, jedis);
                // One node silent: what it holds cannot be had, within the time of a call, and then again.
                List<String> keys = IntStream.range(0, 50).mapToObj(n -> "snapshot:jedis-" + n).toList();
                nodes.get(0).freeze();
                fails(() -> lettuce.look(keys));
                fails(() -> jedis.look(keys));
                // What the others hold can.
                untilFiled(lettuce, "lettuce-others");
                untilFiled(jedis, "jedis-others");
                nodes.get(0).thaw();
                RedisServer.until("Lettuce finds it again", LIMIT, () -> works(lettuce.look(keys)));
                RedisServer.until("Jedis finds it again", LIMIT, () -> works(jedis.look(keys)));
                check(lettuce, "snapshot:lettuce-2");
                check(jedis, "snapshot:jedis-2");
            }
            try (SnapshotStore wrong = connected(nodes.get(0).url(), StoreClient.LETTUCE)) {
                assertTrue(IntStream.range(0, 20).anyMatch(n -> tellsOfCluster(wrong, n)));
            }
            try (SnapshotStore wrong = connected(nodes.get(0).url(), StoreClient.JEDIS)) {
                assertTrue(IntStream.range(0, 20).anyMatch(n -> tellsOfCluster(wrong, n)));
            }
        } finally {
            nodes.forEach(RedisServer::close);
        }
    }

    private static boolean tellsOfCluster(SnapshotStore store, int n) {
        var put = store.put("snapshot:wrong-" + n, bytes("a"), TTL);
        return !works(put) && fails(() -> put).contains("write redis+cluster://");
    }

    /** Both find a snapshot whose slot has another node now, and file one there: they are redirected. */
    private static void moveASlot(List<RedisServer> nodes, SnapshotStore lettuce, SnapshotStore jedis) {
        String key = "snapshot:{moved}";
        String slot = nodes.get(0).ask("CLUSTER", "KEYSLOT", key);
        int from = Integer.parseInt(slot) * 3 / SLOTS;
        RedisServer source = nodes.get(from);
        RedisServer target = nodes.get((from + 1) % 3);
        await(lettuce.put(key, bytes("a"), TTL));
        String targetId = target.ask("CLUSTER", "MYID");
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", source.ask("CLUSTER", "MYID"));
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", targetId);
        source.ask("MIGRATE", "127.0.0.1", Integer.toString(target.port()), key, "0", "1000");
        // Half way: the one asks to ask the other.
        assertArrayEquals(bytes("a"), await(lettuce.look(List.of(key))).get(0));
        assertArrayEquals(bytes("a"), await(jedis.look(List.of(key))).get(0));
        assertEquals(SnapshotStore.Put.FILED, await(jedis.put("{moved}-jedis", bytes("a"), TTL)));
        assertEquals(SnapshotStore.Put.FILED, await(lettuce.put("{moved}-lettuce", bytes("a"), TTL)));
        nodes.forEach(node -> node.ask("CLUSTER", "SETSLOT", slot, "NODE", targetId));
        assertArrayEquals(bytes("a"), await(lettuce.look(List.of(key))).get(0));
        assertArrayEquals(bytes("a"), await(jedis.look(List.of(key))).get(0));
        assertEquals(SnapshotStore.Put.COLLIDED, await(jedis.put("{moved}-lettuce", bytes("a"), TTL)));
        assertEquals(SnapshotStore.Put.COLLIDED, await(lettuce.put("{moved}-jedis", bytes("a"), TTL)));
        assertEquals("3", target.ask("CLUSTER", "COUNTKEYSINSLOT", slot));
    }

    private static void makeCluster(List<RedisServer> nodes, List<Integer> busPorts) {
        for (int n = 0; n < 3; n++) {
            RedisServer node = nodes.get(n);
            node.ask("CLUSTER", "ADDSLOTSRANGE", Integer.toString(n * SLOTS / 3 + (n > 0 ? 1 : 0)), Integer.toString((n + 1) * SLOTS / 3 - (n == 2 ? 1 : 0)));
            node.ask("CLUSTER", "SET-CONFIG-EPOCH", Integer.toString(n + 1));
        }
        for (int n = 1; n < 3; n++) {
            nodes.get(0).ask("CLUSTER", "MEET", "127.0.0.1", Integer.toString(nodes.get(n).port()), busPorts.get(n).toString());
        }
        RedisServer.until("the cluster", LIMIT, () -> nodes.stream().allMatch(node -> {
            String info = node.ask("CLUSTER", "INFO");
            return info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3");
        }));
    }

    private static RedisServer add(List<RedisServer> all, RedisServer server) {
        all.add(server);
        return server;
    }

    private static String addresses(List<RedisServer> servers) {
        return servers.stream().map(server -> "127.0.0.1:" + server.port()).collect(Collectors.joining(","));
    }
}
