package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import dev.mirror.snapshot.store.StoreOptions.Login;
import dev.mirror.snapshot.store.StoreOptions.Tls;
import io.lettuce.core.AbstractRedisClient;
import io.lettuce.core.ClientOptions;
import io.lettuce.core.RedisClient;
import io.lettuce.core.RedisURI;
import io.lettuce.core.SocketOptions;
import io.lettuce.core.SslOptions;
import io.lettuce.core.SslVerifyMode;
import io.lettuce.core.TimeoutOptions;
import io.lettuce.core.api.StatefulConnection;
import io.lettuce.core.api.StatefulRedisConnection;
import io.lettuce.core.cluster.ClusterClientOptions;
import io.lettuce.core.cluster.ClusterTopologyRefreshOptions;
import io.lettuce.core.cluster.RedisClusterClient;
import io.lettuce.core.cluster.api.StatefulRedisClusterConnection;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import io.lettuce.core.codec.ByteArrayCodec;
import io.lettuce.core.codec.RedisCodec;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.metrics.CommandLatencyRecorder;
import io.lettuce.core.protocol.ProtocolVersion;
import io.lettuce.core.resource.ClientResources;
import io.lettuce.core.resource.DefaultClientResources;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * {@link StoreOptions} → a client of Lettuce's that makes one connection at a time. It never connects again by itself: what it
 * does then, sending what had no answer once more, would make a request collide with itself.
 */
final class LettuceClients {
    private static final RedisCodec<String, byte[]> CODEC = RedisCodec.of(StringCodec.UTF8, ByteArrayCodec.INSTANCE);
    /** Lettuce takes no fewer. */
    private static final int THREADS = 2;

    private final StoreOptions store;
    private final Duration timeout;
    private final ClientResources resources;
    private final AbstractRedisClient client;
    /** Of the client's. It alone knows what stands below. */
    private final EventExecutor thread;
    /** How often was connected, so that each attempt begins with another sentinel. */
    private int attempts;
    private boolean closed;
    private CompletionStage<Connected> last = CompletableFuture.completedFuture(null);

    /** A connection and its commands, on one node or a whole cluster. */
    record Connected(StatefulConnection<String, byte[]> connection, RedisClusterAsyncCommands<String, byte[]> commands) {}

    LettuceClients(StoreOptions store, TlsMaterial tls, Duration timeout) {
        this.store = store;
        this.timeout = timeout;
        resources = DefaultClientResources.builder()
                .ioThreadPoolSize(THREADS)
                .computationThreadPoolSize(THREADS)
                .threadFactoryProvider(pool -> new DefaultThreadFactory("mirror-store-" + pool, true))
                .commandLatencyRecorder(CommandLatencyRecorder.disabled())
                .build();
        thread = resources.eventExecutorGroup().next();
        client = store.topology() == StoreOptions.Topology.CLUSTER ? cluster(tls) : one(tls);
    }

    /** Makes another connection, after it was left to a thread of its own: there is much to do before anything is sent. */
    CompletableFuture<Connected> connect() {
        var outcome = new CompletableFuture<Connected>();
        try {
            thread.execute(() -> connect(outcome));
        } catch (RejectedExecutionException e) {
            outcome.completeExceptionally(e);
        }
        return outcome;
    }

    /** After what was begun: an attempt fails loudly on threads that are gone. */
    void close() {
        thread.execute(() -> {
            closed = true;
            last.handle((connected, error) -> client.shutdownAsync(0, 1, TimeUnit.SECONDS))
                    .thenCompose(shut -> shut)
                    .handle((nothing, error) -> resources.shutdown(0, 1, TimeUnit.SECONDS));
        });
    }

    private void connect(CompletableFuture<Connected> outcome) {
        if (closed) {
            outcome.completeExceptionally(StoreException.closed(store));
            return;
        }
        try {
            last = attempt();
            last.whenComplete((connected, error) -> {
                if (error != null) {
                    outcome.completeExceptionally(error);
                } else {
                    outcome.complete(connected);
                }
            });
        } catch (RuntimeException | Error e) {
            outcome.completeExceptionally(e);
        }
    }

    private CompletionStage<Connected> attempt() {
        if (client instanceof RedisClusterClient cluster) {
            // The topology anew each time: the master whose connection broke may have been replaced.
            return cluster.refreshPartitionsAsync()
                    .thenCompose(fresh -> cluster.connectAsync(CODEC))
                    .thenApply(LettuceClients::connected);
        }
        return ((RedisClient) client).connectAsync(CODEC, address()).thenApply(LettuceClients::connected);
    }

    private static Connected connected(StatefulRedisConnection<String, byte[]> connection) {
        return new Connected(connection, connection.async());
    }

    private static Connected connected(StatefulRedisClusterConnection<String, byte[]> connection) {
        return new Connected(connection, connection.async());
    }

    private RedisClient one(TlsMaterial tls) {
        RedisClient client = RedisClient.create(resources);
        client.setOptions(applied(ClientOptions.builder(), tls).build());
        return client;
    }

    /** From 7.0 on the triggers are all enabled, and there is nothing else to call. */
    @SuppressWarnings("deprecation")
    private RedisClusterClient cluster(TlsMaterial tls) {
        List<RedisURI> nodes = store.hosts().stream().map(host -> node(host, store.login()).build()).toList();
        RedisClusterClient client = RedisClusterClient.create(resources, nodes);
        // Learns of moved slots from the answers; nothing is asked regularly.
        var refresh = ClusterTopologyRefreshOptions.builder()
                .enableAllAdaptiveRefreshTriggers()
                .build();
        var options = ClusterClientOptions.builder();
        applied(options, tls);
        client.setOptions(options.topologyRefreshOptions(refresh)
                // A node that took over is known from its answers first.
                .validateClusterNodeMembership(false)
                .build());
        return client;
    }

    private <B extends ClientOptions.Builder> B applied(B options, TlsMaterial tls) {
        options.autoReconnect(false)
                .disconnectedBehavior(ClientOptions.DisconnectedBehavior.REJECT_COMMANDS)
                // Every server has it, and needs no right but that of the commands.
                .protocolVersion(ProtocolVersion.RESP2)
                // The link has one limit for all that it sends.
                .timeoutOptions(TimeoutOptions.builder().timeoutCommands(false).build())
                .socketOptions(SocketOptions.builder()
                        .connectTimeout(timeout)
                        .keepAlive(true)
                        .tcpNoDelay(true)
                        .build());
        if (store.tls().on()) {
            options.sslOptions(sslOptions(tls));
        }
        return options;
    }

    private SslOptions sslOptions(TlsMaterial tls) {
        SslOptions.Builder options = SslOptions.builder().jdkSslProvider().handshakeTimeout(timeout);
        tls.trusted().ifPresent(options::trustManager);
        tls.own().ifPresent(options::keyManager);
        return options.build();
    }

    private RedisURI address() {
        if (store.topology() == StoreOptions.Topology.ONE) {
            return node(store.hosts().get(0), store.login())
                    .withDatabase(store.database())
                    .build();
        }
        RedisURI.Builder master = secured(RedisURI.builder(), store.login())
                .withSentinelMasterId(store.master())
                .withDatabase(store.database());
        List<Host> sentinels = new ArrayList<>(store.hosts());
        Collections.rotate(sentinels, attempts++);
        for (Host sentinel : sentinels) {
            master.withSentinel(node(sentinel, store.sentinelLogin()).build());
        }
        return master.build();
    }

    private RedisURI.Builder node(Host host, Login login) {
        return secured(RedisURI.Builder.redis(host.name(), host.port()), login);
    }

    private RedisURI.Builder secured(RedisURI.Builder address, Login login) {
        Tls tls = store.tls();
        address.withTimeout(timeout).withSsl(tls.on()).withVerifyPeer(SslVerifyMode.FULL);
        if (login.password().isEmpty()) {
            return address;
        }
        return login.user().isEmpty()
                ? address.withPassword(login.password().toCharArray())
                : address.withAuthentication(login.user(), login.password().toCharArray());
    }
}
