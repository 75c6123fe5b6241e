package dev.mirror.snapshot.store;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import redis.clients.jedis.Protocol.Command;

/** Snapshots in Redis or Valkey through Jedis, which blocks: on a few threads of its own, behind a bounded queue. */
final class JedisStore implements SnapshotStore {
    /** A connection is made, or an answer comes, within this time. */
    private static final Duration ANSWER = Duration.ofMillis(500);
    /** From the call to its end: in the queue, connecting, and one or two commands. */
    private static final Duration CALL = ANSWER.multipliedBy(2);
    private static final int THREADS = 4;
    private static final int QUEUE = 1024;
    private static final Duration IDLE_THREAD = Duration.ofSeconds(10);

    private static final byte[] NX = bytes("NX");
    private static final byte[] PX = bytes("PX");

    private final StoreOptions store;
    private final JedisErrors errors;
    private final JedisNodes nodes;
    private final ThreadPoolExecutor threads;
    private final Set<JedisSession> underWay = ConcurrentHashMap.newKeySet();
    private volatile boolean closed;

    /**
     * Begins to connect, in the background.
     *
     * @throws StoreUrlException where a PEM file holds something else
     */
    JedisStore(StoreOptions options) {
        store = options;
        errors = new JedisErrors(options, ANSWER, CALL);
        nodes = new JedisNodes(options, errors, THREADS);
        AtomicInteger number = new AtomicInteger();
        threads = new ThreadPoolExecutor(
                THREADS, THREADS, IDLE_THREAD.toMillis(), TimeUnit.MILLISECONDS, new ArrayBlockingQueue<>(QUEUE), task -> {
                    Thread thread = new Thread(task, "mirror-store-jedis-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        threads.allowCoreThreadTimeOut(true);
        ping();
    }

    @Override
    public CompletionStage<Put> put(String key, byte[] document, Duration timeToLive) {
        byte[] name = bytes(key);
        byte[] millis = bytes(Long.toString(Stores.millis(timeToLive)));
        return run(session -> {
            Object filed = session.ask(name, Command.SET, name, document, NX, PX, millis);
            if (filed != null) {
                return Put.FILED;
            }
            session.ask(name, Command.SET, name, Stores.collided(), PX, millis);
            return Put.COLLIDED;
        });
    }

    @Override
    public CompletionStage<Void> putListed(String key, byte[] document, Duration timeToLive, String list, byte[] entry) {
        byte[] name = bytes(key);
        byte[] listName = bytes(list);
        return run(session -> {
            if (session.ask(name, Command.SET, name, document, NX, PX, bytes(Long.toString(Stores.millis(timeToLive)))) == null) {
                throw StoreException.taken(store);
            }
            session.ask(listName, Command.RPUSH, listName, entry);
            session.ask(listName, Command.PEXPIRE, listName, bytes(Long.toString(Stores.listMillis(timeToLive))));
            return null;
        });
    }

    @Override
    public CompletionStage<Void> replace(String key, byte[] document, Duration timeToLive) {
        byte[] name = bytes(key);
        return run(session -> {
            session.ask(name, Command.SET, name, document, PX, bytes(Long.toString(Stores.millis(timeToLive))));
            return null;
        });
    }

    @Override
    public CompletionStage<List<byte @Nullable []>> look(List<String> keys) {
        if (keys.isEmpty()) {
            return CompletableFuture.completedFuture(List.of());
        }
        List<byte[]> names = keys.stream().map(JedisStore::bytes).toList();
        return run(session -> session.values(names));
    }

    @Override
    public CompletionStage<Void> ping() {
        byte[] any = {};
        return run(session -> {
            session.ask(any, Command.PING);
            return null;
        });
    }

    @Override
    public void close() {
        closed = true;
        for (Runnable waiting : threads.shutdownNow()) {
            ((Call<?>) waiting).fail(StoreException.closed(store));
        }
        underWay.forEach(JedisSession::cut);
        // Connections are closed, which waits for nobody, and so does Jedis for its own.
        Thread closing = new Thread(nodes::close, "mirror-store-jedis-close");
        closing.setDaemon(true);
        closing.start();
    }

    private <T> CompletableFuture<T> run(Function<JedisSession, T> work) {
        StoreException pause = closed ? StoreException.closed(store) : nodes.pause();
        if (pause != null) {
            return CompletableFuture.failedFuture(pause);
        }
        Call<T> call = new Call<>(work);
        try {
            threads.execute(call);
        } catch (RejectedExecutionException full) {
            call.fail(closed ? StoreException.closed(store) : StoreException.full(store, QUEUE));
        }
        return call.outcome;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** One call, from the queue to its end. */
    private final class Call<T> implements Runnable {
        private final Function<JedisSession, T> work;
        private final CompletableFuture<T> result = new CompletableFuture<>();
        private final CompletableFuture<T> outcome = new CompletableFuture<>();
        private final JedisSession session = new JedisSession(nodes);

        private Call(Function<JedisSession, T> work) {
            this.work = work;
            result.orTimeout(CALL.toMillis(), TimeUnit.MILLISECONDS);
            result.whenComplete(this::end);
        }

        @Override
        public void run() {
            underWay.add(session);
            if (closed) {
                fail(StoreException.closed(store));
            } else if (!result.isDone()) {
                work();
            }
            underWay.remove(session);
        }

        private void work() {
            try {
                result.complete(work.apply(session));
            } catch (RuntimeException | Error e) {
                fail(errors.told(e));
            }
            // Nobody waits for this.
            nodes.directory().renew();
        }

        private void fail(StoreException why) {
            result.completeExceptionally(why);
        }

        private void end(T value, Throwable error) {
            if (error == null) {
                outcome.complete(value);
                return;
            }
            StoreException told = errors.told(error);
            if (error instanceof TimeoutException) {
                session.giveUp(told);
            }
            outcome.completeExceptionally(told);
        }
    }
}
