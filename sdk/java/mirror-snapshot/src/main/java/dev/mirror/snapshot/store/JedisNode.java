package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import redis.clients.jedis.Connection;
import redis.clients.jedis.JedisClientConfig;
import redis.clients.jedis.JedisSocketFactory;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisException;

/**
 * A blocking connection to one node, for one thread at a time. Another thread may cut it: a write to a server that stands still
 * has no time limit of its own.
 */
final class JedisNode {
    private static final Duration IDLE = Duration.ofSeconds(5);

    private final Line line;
    private final JedisClientConfig config;
    private final Pauses pauses;
    private final int losses;
    private Connection connection;
    private long usedAt;

    /** Nothing is done yet: see {@link #connect}. */
    JedisNode(Host host, JedisClientConfig config, Pauses pauses, Optional<SSLSocketFactory> tls, Duration timeout) {
        this.config = config;
        this.pauses = pauses;
        losses = pauses.losses();
        line = new Line(host, tls, (int) timeout.toMillis());
    }

    void connect() {
        connection = new Connection(line, config);
        usedAt = System.nanoTime();
    }

    /** Of its host, whoever connects there. */
    Pauses pauses() {
        return pauses;
    }

    /** Whether its host was lost since. */
    boolean isOutlived() {
        return losses != pauses.losses();
    }

    Object ask(Command command, byte[]... arguments) {
        connection.sendCommand(command, arguments);
        Object answer = connection.getOne();
        usedAt = System.nanoTime();
        return answer;
    }

    /** One command for each key, and then all answers in their order; those that are errors are exceptions. */
    List<Object> askEach(Command command, List<byte[]> keys) {
        for (byte[] key : keys) {
            connection.sendCommand(command, key);
        }
        List<Object> answers = connection.getMany(keys.size());
        usedAt = System.nanoTime();
        return answers;
    }

    /** Whether so much time went by that the other end may have closed it. */
    boolean isIdle() {
        return System.nanoTime() - usedAt > IDLE.toNanos();
    }

    boolean answersPing() {
        try {
            ask(Command.PING);
            return true;
        } catch (JedisDataException refused) {
            return true;
        } catch (JedisException gone) {
            return false;
        }
    }

    /** Ends what is under way, from any thread, without waiting. */
    void cut() {
        line.cut();
    }

    /** Makes one socket, and none after that: a connection that Jedis makes again has not logged in. */
    private static final class Line implements JedisSocketFactory {
        private final Host host;
        private final Optional<SSLSocketFactory> tls;
        private final int timeout;
        private volatile Socket socket;
        private volatile boolean cut;
        private boolean used;

        private Line(Host host, Optional<SSLSocketFactory> tls, int timeout) {
            this.host = host;
            this.tls = tls;
            this.timeout = timeout;
        }

        @Override
        public Socket createSocket() {
            if (used) {
                throw new JedisConnectionException("the connection is gone");
            }
            used = true;
            try {
                Socket plain = reached();
                return tls.isPresent() ? encrypted(plain, tls.get()) : plain;
            } catch (IOException e) {
                cut();
                throw new JedisConnectionException(e);
            }
        }

        private Socket reached() throws IOException {
            IOException last = null;
            for (InetAddress address : InetAddress.getAllByName(host.name())) {
                Socket attempt = new Socket();
                socket = attempt;
                try {
                    if (cut) {
                        throw new IOException("cut");
                    }
                    attempt.setTcpNoDelay(true);
                    attempt.setKeepAlive(true);
                    // What a server that stands still did not take is not kept for it.
                    attempt.setSoLinger(true, 0);
                    attempt.setSoTimeout(timeout);
                    attempt.connect(new InetSocketAddress(address, host.port()), timeout);
                    return attempt;
                } catch (IOException e) {
                    attempt.close();
                    last = e;
                }
            }
            throw last == null ? new IOException("no address") : last;
        }

        private Socket encrypted(Socket plain, SSLSocketFactory tls) throws IOException {
            SSLSocket secure = (SSLSocket) tls.createSocket(plain, host.name(), host.port(), true);
            SSLParameters parameters = secure.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            secure.setSSLParameters(parameters);
            secure.startHandshake();
            return secure;
        }

        /** Closes the plain socket: to close the one around it would wait for a write that is under way. */
        private void cut() {
            cut = true;
            Socket plain = socket;
            if (plain != null) {
                try {
                    plain.close();
                } catch (IOException ignored) {
                    // It is gone then.
                }
            }
        }
    }
}
