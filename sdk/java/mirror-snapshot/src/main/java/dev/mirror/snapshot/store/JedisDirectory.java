package dev.mirror.snapshot.store;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Jedis;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;
import redis.clients.jedis.providers.ClusterConnectionProvider;
import redis.clients.jedis.providers.ConnectionProvider;
import redis.clients.jedis.providers.SentineledConnectionProvider;
import redis.clients.jedis.util.IOUtils;
import redis.clients.jedis.util.JedisClusterCRC16;

/**
 * Which node holds a key, from Jedis' own clients for Sentinel and Cluster. They are asked for addresses only: their connections
 * cannot be cut, and the one for Cluster sends a write again that had no answer. All threads share it.
 */
final class JedisDirectory implements AutoCloseable {
    private final StoreOptions store;
    private final JedisErrors errors;
    private final JedisClientConfig forNodes;
    private final JedisClientConfig forSentinels;
    private final List<HostAndPort> hosts;
    private final Pauses pauses;
    /** Null before the first question, and where there is one node only. */
    private volatile @Nullable ConnectionProvider client;
    private volatile boolean doubted;
    private boolean closed;

    JedisDirectory(StoreOptions store, JedisErrors errors, JedisClientConfig forNodes, JedisClientConfig forSentinels) {
        this.store = store;
        this.errors = errors;
        this.forNodes = forNodes;
        this.forSentinels = forSentinels;
        hosts = store.hosts().stream().map(host -> new HostAndPort(host.name(), host.port())).toList();
        pauses = new Pauses(store);
    }

    boolean isCluster() {
        return store.topology() == StoreOptions.Topology.CLUSTER;
    }

    /** The only node, where there is one only. */
    HostAndPort first() {
        return hosts.get(0);
    }

    /** The first question waits for sentinels or nodes to answer, and fails at once while they are not to be tried. */
    HostAndPort node(byte[] key) {
        return switch (store.topology()) {
            case ONE -> first();
            case SENTINEL -> ((SentineledConnectionProvider) client()).getCurrentMaster();
            case CLUSTER -> {
                HostAndPort holder = ((ClusterConnectionProvider) client()).getNode(JedisClusterCRC16.getSlot(key));
                // Whichever: it tells who has it, or that nobody has.
                yield holder != null ? holder : first();
            }
        };
    }

    /** A node does not answer, or said that another one holds a key. */
    void doubt() {
        doubted = true;
    }

    /** Asks a cluster again where there is doubt. Not for a thread that somebody waits for. Sentinels tell by themselves. */
    void renew() {
        if (doubted && client instanceof ClusterConnectionProvider cluster) {
            doubted = false;
            cluster.renewSlotCache();
        }
    }

    private ConnectionProvider client() {
        ConnectionProvider known = client;
        return known != null ? known : made();
    }

    private synchronized ConnectionProvider made() {
        if (client != null) {
            return client;
        }
        StoreException pause = closed ? StoreException.closed(store) : pauses.now();
        if (pause != null) {
            throw pause;
        }
        try {
            Set<HostAndPort> all = new LinkedHashSet<>(hosts);
            client = isCluster()
                    ? new ClusterConnectionProvider(all, forNodes, JedisNode.pool(1))
                    : new SentineledConnectionProvider(store.master(), forNodes, JedisNode.pool(1), all, forSentinels);
            pauses.answered();
            return client;
        } catch (JedisException e) {
            RuntimeException why = isCluster() ? e : reason(e);
            pauses.failed(errors.told(why));
            throw why;
        }
    }

    /** Jedis does not tell why it found no master. */
    private RuntimeException reason(JedisException failed) {
        if (!(failed instanceof JedisConnectionException)) {
            return new JedisDataException("ERR the sentinels know no master of that name: " + store.master());
        }
        RuntimeException last = failed;
        for (HostAndPort sentinel : hosts) {
            try (Jedis connection = new Jedis(sentinel, forSentinels)) {
                connection.sentinelGetMasterAddrByName(store.master());
            } catch (JedisDataException refused) {
                return refused;
            } catch (JedisException e) {
                last = e;
            }
        }
        return last;
    }

    @Override
    public synchronized void close() {
        closed = true;
        IOUtils.closeQuietly(client);
    }
}
