package dev.mirror.snapshot.store;

import java.io.IOException;
import java.net.Socket;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Connection;
import redis.clients.jedis.DefaultJedisSocketFactory;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.JedisSocketFactory;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisConnectionException;

/**
 * A connection of Jedis that another thread may cut. A write to a server that stands still has no time limit, and Jedis closes a
 * connection only after that write.
 */
final class JedisConnection extends Connection {
    private final Line line;

    /**
     * Connects and logs in.
     *
     * @param config without TLS
     */
    JedisConnection(HostAndPort node, JedisClientConfig config, Optional<SSLSocketFactory> tls) {
        this(new Line(node, config, tls), config);
    }

    private JedisConnection(Line line, JedisClientConfig config) {
        super(line, config);
        this.line = line;
    }

    Object ask(Command command, byte[]... arguments) {
        sendCommand(command, arguments);
        return getOne();
    }

    /** One command for each key, and then all answers in their order; those that are errors are exceptions. */
    List<Object> askEach(Command command, List<byte[]> keys) {
        for (byte[] key : keys) {
            sendCommand(command, key);
        }
        return getMany(keys.size());
    }

    /** Ends what is under way, from any thread, without waiting. */
    void cut() {
        line.cut();
    }

    /** Makes one socket only: a connection that Jedis makes again has not logged in. */
    private static final class Line implements JedisSocketFactory {
        private final HostAndPort node;
        private final JedisClientConfig config;
        private final Optional<SSLSocketFactory> tls;
        private volatile @Nullable Socket plain;

        private Line(HostAndPort node, JedisClientConfig config, Optional<SSLSocketFactory> tls) {
            this.node = node;
            this.config = config;
            this.tls = tls;
        }

        @Override
        public Socket createSocket() {
            if (plain != null) {
                throw new JedisConnectionException("the connection is gone");
            }
            plain = new DefaultJedisSocketFactory(node, config).createSocket();
            try {
                return tls.isPresent() ? encrypted(tls.get()) : plain;
            } catch (IOException e) {
                cut();
                throw new JedisConnectionException(e);
            }
        }

        private Socket encrypted(SSLSocketFactory tls) throws IOException {
            SSLSocket secure = (SSLSocket) tls.createSocket(plain, node.getHost(), node.getPort(), true);
            SSLParameters parameters = secure.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            secure.setSSLParameters(parameters);
            secure.startHandshake();
            return secure;
        }

        /** Closes the plain socket: to close the one around it would wait for a write that is under way. */
        private void cut() {
            Socket socket = plain;
            if (socket != null) {
                try {
                    socket.close();
                } catch (IOException ignored) {
                    // It is gone then.
                }
            }
        }
    }
}
