package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import dev.mirror.snapshot.store.StoreOptions.Topology;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.util.JedisClusterCRC16;

/** Which node holds a key: the only one, the master that the sentinels name, or one of a cluster. All threads share it. */
final class JedisRoute {
    private static final int SLOTS = 16384;

    private final StoreOptions store;
    /** Which sentinel or node is asked first: another one after one that did not answer. */
    private final AtomicInteger first = new AtomicInteger();
    private final AtomicReferenceArray<Host> slots = new AtomicReferenceArray<>(SLOTS);
    private volatile Host master;
    private volatile Set<Host> nodes = Set.of();
    private volatile boolean known;

    JedisRoute(StoreOptions store) {
        this.store = store;
    }

    boolean isCluster() {
        return store.topology() == Topology.CLUSTER;
    }

    /** Asks sentinels or nodes where it is not known. */
    Host node(byte[] key, JedisLane lane) {
        return switch (store.topology()) {
            case ONE -> store.hosts().get(0);
            case SENTINEL -> {
                Host known = master;
                yield known != null ? known : findMaster(lane);
            }
            case CLUSTER -> {
                if (!known) {
                    findSlots(lane);
                }
                Host holder = slots.get(JedisClusterCRC16.getSlot(key));
                // Whichever: it tells who has it, or that nobody has.
                yield holder != null ? holder : store.hosts().get(0);
            }
        };
    }

    void moved(int slot, Host to) {
        slots.set(slot, to);
        // More may have moved with it.
        known = false;
    }

    /** Somebody else may be the master now. */
    void forget() {
        master = null;
        known = false;
    }

    private Host findMaster(JedisLane lane) {
        RuntimeException last = null;
        for (Host sentinel : inTurn(store.hosts())) {
            try {
                Object answer = lane.askSentinel(sentinel, "get-master-addr-by-name", store.master());
                if (answer instanceof List<?> place && place.size() == 2) {
                    Host found = new Host(text(place.get(0)), Integer.parseInt(text(place.get(1))));
                    master = found;
                    return found;
                }
                last = new JedisDataException("ERR the sentinels know no master of that name: " + store.master());
            } catch (JedisException | StoreException e) {
                last = e;
            }
            first.incrementAndGet();
        }
        throw last;
    }

    private void findSlots(JedisLane lane) {
        Set<Host> all = new LinkedHashSet<>(inTurn(store.hosts()));
        all.addAll(nodes);
        RuntimeException last = null;
        for (Host node : all) {
            try {
                Set<Host> found = new LinkedHashSet<>();
                for (Object range : (List<?>) lane.askNode(node, Command.CLUSTER, bytes("SLOTS"))) {
                    found.add(take((List<?>) range, node));
                }
                nodes = found;
                known = true;
                return;
            } catch (JedisDataException e) {
                // It answers, and the others would say the same.
                throw e;
            } catch (JedisException | StoreException e) {
                last = e;
                first.incrementAndGet();
            }
        }
        throw last == null ? new JedisConnectionException("no node") : last;
    }

    /** One range of slots: its first, its last, the master, and replicas. */
    private Host take(List<?> range, Host told) {
        List<?> master = (List<?>) range.get(2);
        Object name = master.get(0);
        boolean named = name != null && !text(name).isEmpty();
        Host host = new Host(named ? text(name) : told.name(), (int) (long) (Long) master.get(1));
        for (long slot = (Long) range.get(0); slot <= (Long) range.get(1); slot++) {
            slots.set((int) slot, host);
        }
        return host;
    }

    private List<Host> inTurn(List<Host> hosts) {
        List<Host> turned = new ArrayList<>(hosts);
        Collections.rotate(turned, -Math.floorMod(first.get(), hosts.size()));
        return turned;
    }

    private static String text(Object bytes) {
        return new String((byte[]) bytes, StandardCharsets.UTF_8);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
