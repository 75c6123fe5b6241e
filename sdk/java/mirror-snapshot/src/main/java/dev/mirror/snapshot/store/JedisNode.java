package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.function.Supplier;
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPoolConfig;
import redis.clients.jedis.Connection;
import redis.clients.jedis.ConnectionPool;
import redis.clients.jedis.exceptions.JedisDataException;

/**
 * One node of a store, for all threads.
 *
 * @param connections to it, which are made when they are needed
 * @param pauses whether it may be tried
 */
record JedisNode(ConnectionPool connections, Pauses pauses) {
    /** After so long the other end may have closed a connection. */
    private static final Duration IDLE = Duration.ofSeconds(5);

    static JedisNode of(Supplier<JedisConnection> connected, int most, Pauses pauses) {
        return new JedisNode(new ConnectionPool(new Maker(connected), pool(most)), pauses);
    }

    /** Takes the connection that was used last, and needs no thread to look after those that are idle. */
    static GenericObjectPoolConfig<Connection> pool(int most) {
        GenericObjectPoolConfig<Connection> pool = new GenericObjectPoolConfig<>();
        pool.setMaxTotal(most);
        pool.setMaxIdle(most);
        pool.setBlockWhenExhausted(false);
        pool.setJmxEnabled(false);
        return pool;
    }

    private static final class Maker extends BasePooledObjectFactory<Connection> {
        private final Supplier<JedisConnection> connected;

        private Maker(Supplier<JedisConnection> connected) {
            this.connected = connected;
        }

        @Override
        public Connection create() {
            return connected.get();
        }

        @Override
        public PooledObject<Connection> wrap(Connection connection) {
            return new DefaultPooledObject<>(connection);
        }

        /** The pool takes another one where this fails. */
        @Override
        public void activateObject(PooledObject<Connection> pooled) {
            if (pooled.getIdleDuration().compareTo(IDLE) > 0) {
                try {
                    pooled.getObject().ping();
                } catch (JedisDataException refused) {
                    // It is there.
                }
            }
        }

        @Override
        public void destroyObject(PooledObject<Connection> pooled) {
            ((JedisConnection) pooled.getObject()).cut();
        }
    }
}
