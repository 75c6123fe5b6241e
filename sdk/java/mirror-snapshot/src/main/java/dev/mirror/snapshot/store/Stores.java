package dev.mirror.snapshot.store;

import java.nio.charset.StandardCharsets;
import java.time.Duration;

/** Opens stores with the client that is there. */
public final class Stores {
    private static final byte[] COLLIDED = "{\"mirror\":1,\"collided\":true}".getBytes(StandardCharsets.US_ASCII);

    private Stores() {}

    /**
     * Makes a store that connects in the background: this neither waits for the server nor fails where that is absent. One call
     * takes up to 0.5 s, and up to twice that where a connection or the mark of a collision is to be made. A server that does
     * not answer is tried again after 50 ms to 2 s, by the next call then; calls fail at once meanwhile.
     *
     * <p>The first connection of a JVM through Lettuce takes one to two seconds of a processor, for classes: who opens a store
     * before it takes requests loses none of their snapshots to that.
     *
     * @throws IllegalStateException where the client is not on the class path
     * @throws StoreUrlException where a PEM file holds something else
     */
    public static SnapshotStore open(StoreOptions options, StoreClient client) {
        if (client != StoreClient.JEDIS && isThere("io.lettuce.core.RedisClient")) {
            return WithLettuce.open(options);
        }
        if (client != StoreClient.LETTUCE && isThere("redis.clients.jedis.Connection")) {
            return WithJedis.open(options);
        }
        throw new IllegalStateException("snapshots need a client for Redis: add the dependency " + switch (client) {
            case AUTO -> "`io.lettuce:lettuce-core` or `redis.clients:jedis`";
            case LETTUCE -> "`io.lettuce:lettuce-core`";
            case JEDIS -> "`redis.clients:jedis`";
        });
    }

    /** Takes the place of a snapshot that several requests have. */
    static byte[] collided() {
        return COLLIDED.clone();
    }

    /** Whole milliseconds, and at least one. */
    static long millis(Duration timeToLive) {
        return Math.max(1, timeToLive.toMillis());
    }

    /** Of a list, whose last snapshots were received up to a minute after its first. */
    static long listMillis(Duration timeToLive) {
        return millis(timeToLive) + Duration.ofMinutes(1).toMillis();
    }

    private static boolean isThere(String name) {
        try {
            Class.forName(name, false, Stores.class.getClassLoader());
            return true;
        } catch (ClassNotFoundException | LinkageError absent) {
            return false;
        }
    }

    /** Only this class knows of the store that knows of Lettuce: none of them is loaded where that is absent. */
    private static final class WithLettuce {
        static SnapshotStore open(StoreOptions options) {
            return new LettuceStore(options);
        }
    }

    /** The same for Jedis. */
    private static final class WithJedis {
        static SnapshotStore open(StoreOptions options) {
            return new JedisStore(options);
        }
    }
}
