package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Login;
import dev.mirror.snapshot.store.StoreOptions.Topology;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.ClientSetInfoConfig;
import redis.clients.jedis.DefaultJedisClientConfig;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;

/** The nodes of a store, and which of them holds what. */
final class JedisNodes implements AutoCloseable {
    private final StoreOptions store;
    private final JedisErrors errors;
    private final int connections;
    private final Optional<SSLSocketFactory> tls;
    private final JedisClientConfig config;
    private final JedisDirectory directory;
    /** Each for itself: while one of a cluster is away, the others are not. */
    private final Map<HostAndPort, JedisNode> nodes = new ConcurrentHashMap<>();

    /**
     * @param connections to a node, at most
     * @throws StoreUrlException where a PEM file holds something else
     */
    JedisNodes(StoreOptions store, JedisErrors errors, int connections) {
        this.store = store;
        this.errors = errors;
        this.connections = connections;
        TlsMaterial material = TlsMaterial.read(store.tls());
        tls = store.tls().on() ? Optional.of(material.context().getSocketFactory()) : Optional.empty();
        config = config(store.login()).database(store.database()).build();
        directory = new JedisDirectory(store, errors, encrypted(store.login()), encrypted(store.sentinelLogin()));
    }

    JedisDirectory directory() {
        return directory;
    }

    JedisNode node(HostAndPort host) {
        return nodes.computeIfAbsent(
                host, any -> JedisNode.of(() -> new JedisConnection(host, config, tls), connections, new Pauses(store)));
    }

    /** Where there is one node only: the error to fail with while it is not to be tried. */
    @Nullable StoreException pause() {
        return store.topology() == Topology.ONE ? node(directory.first()).pauses().now() : null;
    }

    /** No connection to the node is of use any more, and another one may hold its keys. */
    void lost(JedisNode node, Throwable why) {
        node.pauses().failed(errors.told(why));
        node.connections().clear();
        directory.doubt();
    }

    @Override
    public void close() {
        nodes.values().forEach(node -> node.connections().close());
        directory.close();
    }

    private DefaultJedisClientConfig.Builder config(Login login) {
        int timeout = (int) errors.answer().toMillis();
        return DefaultJedisClientConfig.builder()
                .connectionTimeoutMillis(timeout)
                .socketTimeoutMillis(timeout)
                .user(login.user().isEmpty() ? null : login.user())
                .password(login.password().isEmpty() ? null : login.password())
                .clientSetInfoConfig(ClientSetInfoConfig.DISABLED);
    }

    /** For the connections that Jedis makes to learn addresses. */
    private JedisClientConfig encrypted(Login login) {
        SSLParameters parameters = new SSLParameters();
        parameters.setEndpointIdentificationAlgorithm("HTTPS");
        return config(login).ssl(tls.isPresent()).sslSocketFactory(tls.orElse(null)).sslParameters(parameters).build();
    }
}
