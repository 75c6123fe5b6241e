package dev.mirror.snapshot.store;

/** Which library talks to the store. */
public enum StoreClient {
    /** Lettuce where it is on the class path, else Jedis. */
    AUTO,
    /** {@code io.lettuce:lettuce-core}, 6.6 and above. */
    LETTUCE,
    /** {@code redis.clients:jedis}, 6.0 and above. */
    JEDIS
}
