package dev.mirror.snapshot.store;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisAskDataException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisMovedDataException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/** What one call does on the store's nodes: a command or two, each of which a node does at most once. */
final class JedisSession {
    private static final int MOST_REDIRECTIONS = 5;

    private final JedisNodes nodes;
    private volatile @Nullable JedisConnection busy;
    /** The node of the connection. */
    private volatile @Nullable JedisNode busyWith;
    private volatile boolean cut;

    JedisSession(JedisNodes nodes) {
        this.nodes = nodes;
    }

    /** Sends a command about a key: once, but for nodes that do not do it and say who does. */
    Object ask(byte[] key, Command command, byte[]... arguments) {
        HostAndPort host = nodes.directory().node(key);
        boolean asking = false;
        for (int redirections = 0; ; redirections++) {
            try {
                boolean asks = asking;
                return on(host, connection -> {
                    if (asks) {
                        connection.ask(Command.ASKING);
                    }
                    return connection.ask(command, arguments);
                });
            } catch (JedisRedirectionException elsewhere) {
                if (!nodes.directory().isCluster() || redirections == MOST_REDIRECTIONS) {
                    throw elsewhere;
                }
                asking = elsewhere instanceof JedisAskDataException;
                host = target(elsewhere, host);
                if (elsewhere instanceof JedisMovedDataException) {
                    nodes.directory().doubt();
                }
            }
        }
    }

    /** What stands under each of the keys, null where nothing does. */
    List<byte @Nullable []> values(List<byte[]> keys) {
        if (!nodes.directory().isCluster()) {
            byte[][] all = keys.toArray(byte[][]::new);
            List<byte @Nullable []> found = new ArrayList<>(all.length);
            for (Object value : (List<?>) ask(all[0], Command.MGET, all)) {
                found.add((byte[]) value);
            }
            return found;
        }
        Map<HostAndPort, List<Integer>> places = new LinkedHashMap<>();
        for (int i = 0; i < keys.size(); i++) {
            places.computeIfAbsent(nodes.directory().node(keys.get(i)), host -> new ArrayList<>()).add(i);
        }
        byte[][] found = new byte[keys.size()][];
        places.forEach((host, indexes) -> {
            List<byte[]> theirs = indexes.stream().map(keys::get).toList();
            List<Object> answers = on(host, connection -> connection.askEach(Command.GET, theirs));
            for (int i = 0; i < indexes.size(); i++) {
                found[indexes.get(i)] = (byte[]) answer(answers.get(i), theirs.get(i));
            }
        });
        return Arrays.asList(found);
    }

    /** Ends what is under way, from any thread, without waiting, and for this reason; nothing works on it any more. */
    void giveUp(StoreException why) {
        JedisNode node = busy == null ? null : busyWith;
        cut();
        if (node != null) {
            nodes.lost(node, why);
        }
    }

    /** Ends what is under way, from any thread, without waiting; nothing works on it any more. */
    void cut() {
        cut = true;
        JedisConnection connection = busy;
        if (connection != null) {
            connection.cut();
        }
    }

    private <T> T on(HostAndPort host, Function<JedisConnection, T> work) {
        JedisNode node = nodes.node(host);
        StoreException pause = node.pauses().now();
        if (pause != null) {
            throw pause;
        }
        int losses = node.pauses().losses();
        JedisConnection connection = null;
        try {
            connection = (JedisConnection) node.connections().getResource();
            use(node, connection);
            T answer = work.apply(connection);
            node.pauses().answered();
            return answer;
        } catch (RuntimeException | Error e) {
            if (connection != null && !JedisErrors.breaks(e)) {
                node.pauses().answered();
            } else if (!cut) {
                // A refused login too: no connection was made.
                nodes.lost(node, e);
            }
            throw e;
        } finally {
            giveBack(connection, cut || losses != node.pauses().losses());
        }
    }

    /** Either this sees that it was cut, or who cuts it sees the connection. */
    private void use(JedisNode node, JedisConnection connection) {
        busyWith = node;
        busy = connection;
        if (cut) {
            throw new JedisConnectionException("cut");
        }
    }

    private void giveBack(@Nullable JedisConnection connection, boolean isGone) {
        busy = null;
        if (connection != null) {
            if (isGone) {
                connection.setBroken();
            }
            connection.close();
        }
    }

    private Object answer(Object answer, byte[] key) {
        if (answer instanceof JedisRedirectionException) {
            return ask(key, Command.GET, key);
        }
        if (answer instanceof JedisDataException refusal) {
            throw refusal;
        }
        return answer;
    }

    private static HostAndPort target(JedisRedirectionException elsewhere, HostAndPort from) {
        HostAndPort target = elsewhere.getTargetNode();
        String name = target.getHost();
        // A node that does not know its own name leaves it out.
        return name == null || name.isEmpty() ? new HostAndPort(from.getHost(), target.getPort()) : target;
    }
}
