package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import redis.clients.jedis.HostAndPort;
import redis.clients.jedis.Protocol.Command;
import redis.clients.jedis.exceptions.JedisAskDataException;
import redis.clients.jedis.exceptions.JedisConnectionException;
import redis.clients.jedis.exceptions.JedisDataException;
import redis.clients.jedis.exceptions.JedisMovedDataException;
import redis.clients.jedis.exceptions.JedisRedirectionException;

/** The connections of one thread at a time: one to the node, to the master, or to each of a cluster's nodes. */
final class JedisLane {
    private static final int MOST_REDIRECTIONS = 5;

    private final JedisNodes nodes;
    private final JedisErrors errors;
    private final JedisRoute route;
    private final Map<Host, JedisNode> connected = new HashMap<>();
    private volatile JedisNode busy;
    private volatile boolean cut;

    JedisLane(JedisNodes nodes, JedisErrors errors) {
        this.nodes = nodes;
        this.errors = errors;
        this.route = nodes.route();
    }

    /** Sends a command about a key: once, but for nodes that do not do it and say who does. */
    Object ask(byte[] key, Command command, byte[]... arguments) {
        Host host = route.node(key, this);
        boolean asking = false;
        for (int redirections = 0; ; redirections++) {
            try {
                boolean asks = asking;
                return on(host, node -> {
                    if (asks) {
                        node.ask(Command.ASKING);
                    }
                    return node.ask(command, arguments);
                });
            } catch (JedisRedirectionException elsewhere) {
                if (!route.isCluster() || redirections == MOST_REDIRECTIONS) {
                    throw elsewhere;
                }
                asking = elsewhere instanceof JedisAskDataException;
                host = target(elsewhere, host);
                if (elsewhere instanceof JedisMovedDataException) {
                    route.moved(elsewhere.getSlot(), host);
                }
            }
        }
    }

    /** What stands under each of the keys, null where nothing does. */
    List<byte[]> values(List<byte[]> keys) {
        if (!route.isCluster()) {
            byte[][] all = keys.toArray(byte[][]::new);
            List<byte[]> found = new ArrayList<>(all.length);
            for (Object value : (List<?>) ask(all[0], Command.MGET, all)) {
                found.add((byte[]) value);
            }
            return found;
        }
        Map<Host, List<Integer>> places = new LinkedHashMap<>();
        for (int i = 0; i < keys.size(); i++) {
            places.computeIfAbsent(route.node(keys.get(i), this), host -> new ArrayList<>()).add(i);
        }
        byte[][] found = new byte[keys.size()][];
        places.forEach((host, indexes) -> {
            List<byte[]> theirs = indexes.stream().map(keys::get).toList();
            List<Object> answers = on(host, node -> node.askEach(Command.GET, theirs));
            for (int i = 0; i < indexes.size(); i++) {
                found[indexes.get(i)] = (byte[]) answer(answers.get(i), theirs.get(i));
            }
        });
        return Arrays.asList(found);
    }

    Object askNode(Host host, Command command, byte[]... arguments) {
        return on(host, node -> node.ask(command, arguments));
    }

    /** On a connection of its own that is closed afterwards. */
    Object askSentinel(Host sentinel, String question, String about) {
        JedisNode node = nodes.sentinel(sentinel);
        try {
            connect(node);
            Object answer = node.ask(Command.SENTINEL, JedisRoute.bytes(question), JedisRoute.bytes(about));
            node.pauses().answered();
            return answer;
        } catch (RuntimeException e) {
            lose(node, e);
            throw e;
        } finally {
            node.cut();
        }
    }

    /** Ends what is under way, from any thread, without waiting, and for this reason; nothing works on it any more. */
    void giveUp(StoreException why) {
        JedisNode node = busy;
        if (node != null) {
            node.pauses().failed(why);
        }
        cut();
    }

    /** Ends what is under way, from any thread, without waiting; nothing works on it any more. */
    void cut() {
        cut = true;
        JedisNode node = busy;
        if (node != null) {
            node.cut();
        }
    }

    /** From the thread that works on it. */
    void close() {
        cut = true;
        connected.values().forEach(JedisNode::cut);
        connected.clear();
    }

    boolean isCut() {
        return cut;
    }

    private <T> T on(Host host, Function<JedisNode, T> work) {
        JedisNode node = connected.get(host);
        if (node != null && !isUsable(node)) {
            connected.remove(host).cut();
            node = null;
        }
        if (node == null) {
            node = nodes.node(host);
        }
        try {
            if (connected.put(host, node) == null) {
                connect(node);
            }
            use(node);
            T answer = work.apply(node);
            node.pauses().answered();
            return answer;
        } catch (RuntimeException | Error e) {
            if (JedisErrors.breaks(e)) {
                connected.remove(host).cut();
                lose(node, e);
            } else {
                node.pauses().answered();
            }
            throw e;
        }
    }

    /** Fails while the node is not to be tried. */
    private void connect(JedisNode node) {
        StoreException pause = node.pauses().now();
        if (pause != null) {
            throw pause;
        }
        use(node);
        try {
            node.connect();
        } catch (JedisDataException refused) {
            // As if it were away: no connection was made.
            throw new JedisConnectionException(refused);
        }
    }

    /** Whether it is likely that the other end is still there. */
    private boolean isUsable(JedisNode node) {
        use(node);
        return !node.isOutlived() && (!node.isIdle() || node.answersPing());
    }

    /** Somebody else may be the master now. */
    private void lose(JedisNode node, Throwable why) {
        if (!(why instanceof StoreException) && JedisErrors.breaks(why) && !cut) {
            node.pauses().failed(errors.told(why));
            route.forget();
        }
    }

    /** Either this sees that it was cut, or who cuts it sees the node. */
    private void use(JedisNode node) {
        busy = node;
        if (cut) {
            throw new JedisConnectionException("cut");
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

    private static Host target(JedisRedirectionException elsewhere, Host from) {
        HostAndPort target = elsewhere.getTargetNode();
        String name = target.getHost();
        // A node that does not know its own name leaves it out.
        return new Host(name == null || name.isEmpty() ? from.name() : name, target.getPort());
    }
}
