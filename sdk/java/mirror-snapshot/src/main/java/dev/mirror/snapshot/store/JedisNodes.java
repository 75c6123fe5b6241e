package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import dev.mirror.snapshot.store.StoreOptions.Login;
import dev.mirror.snapshot.store.StoreOptions.Topology;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLSocketFactory;
import redis.clients.jedis.ClientSetInfoConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.JedisClientConfig;

/** What all threads know of a store's nodes: which holds what, how each does, and how to connect. */
final class JedisNodes {
    private final StoreOptions store;
    private final Duration timeout;
    private final Optional<SSLSocketFactory> tls;
    private final JedisRoute route;
    private final JedisClientConfig forNodes;
    private final JedisClientConfig forSentinels;
    /** Each for itself: while one of a cluster is away, the others are not. */
    private final Map<Host, Pauses> pauses = new ConcurrentHashMap<>();

    /**
     * @throws StoreUrlException where a PEM file holds something else
     */
    JedisNodes(StoreOptions store, Duration timeout) {
        this.store = store;
        this.timeout = timeout;
        TlsMaterial material = TlsMaterial.read(store.tls());
        tls = store.tls().on() ? Optional.of(material.context().getSocketFactory()) : Optional.empty();
        route = new JedisRoute(store);
        forNodes = config(store.login(), store.database());
        forSentinels = config(store.sentinelLogin(), 0);
    }

    JedisRoute route() {
        return route;
    }

    Pauses pauses(Host host) {
        return pauses.computeIfAbsent(host, any -> new Pauses(store));
    }

    /** Where there is one node only: the error to fail with while it is not to be tried. */
    StoreException pause() {
        return store.topology() == Topology.ONE ? pauses(store.hosts().get(0)).now() : null;
    }

    /** Not connected yet. */
    JedisNode node(Host host) {
        return new JedisNode(host, forNodes, pauses(host), tls, timeout);
    }

    /** Not connected yet. */
    JedisNode sentinel(Host host) {
        return new JedisNode(host, forSentinels, pauses(host), tls, timeout);
    }

    private JedisClientConfig config(Login login, int database) {
        return DefaultJedisClientConfig.builder()
                .connectionTimeoutMillis((int) timeout.toMillis())
                .socketTimeoutMillis((int) timeout.toMillis())
                .user(login.user().isEmpty() ? null : login.user())
                .password(login.password().isEmpty() ? null : login.password())
                .database(database)
                .clientSetInfoConfig(ClientSetInfoConfig.DISABLED)
                .build();
    }
}
