package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.LettuceClients.Connected;
import io.lettuce.core.RedisCommandExecutionException;
import io.lettuce.core.cluster.api.async.RedisClusterAsyncCommands;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * One connection to the store, made when first needed and again after it broke, with growing pauses. Calls that come while it
 * is being made wait for that; those that come in a pause fail at once.
 */
final class LettuceLink {
    /** One command takes this long at the most. */
    private static final Duration COMMAND = Duration.ofMillis(500);
    /** A connection that is being made is waited for this long. */
    private static final Duration CONNECTION = COMMAND.multipliedBy(2);
    /**
     * One attempt to connect, whose steps have limits of their own: the first of a process loads many classes, and a busy one
     * would never get there.
     */
    private static final Duration ATTEMPT = Duration.ofSeconds(5);
    private static final int UNDER_WAY = 4096;
    /** After these the server is not, or not yet, the one that takes writes. */
    private static final Set<String> NOT_THE_MASTER = Set.of("READONLY", "LOADING", "MASTERDOWN");

    private final StoreOptions store;
    private final CompletableFuture<LettuceClients> clients = new CompletableFuture<>();
    private final Pauses pauses;
    /** Null while there is none and none is being made. */
    private final AtomicReference<CompletableFuture<Connected>> current = new AtomicReference<>();
    private final AtomicInteger underWay = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Begins to connect, on another thread: hundreds of classes are loaded for it. */
    LettuceLink(StoreOptions store) {
        this.store = store;
        this.pauses = new Pauses(store);
        TlsMaterial tls = TlsMaterial.read(store.tls());
        Thread opener = new Thread(() -> open(tls), "mirror-store-open");
        opener.setDaemon(true);
        opener.start();
        connection();
    }

    /** Sends a command once. Fails with a {@link StoreException} only. */
    <T> CompletableFuture<T> run(
            Function<RedisClusterAsyncCommands<String, byte[]>, ? extends CompletionStage<T>> command) {
        if (underWay.incrementAndGet() > UNDER_WAY) {
            underWay.decrementAndGet();
            return CompletableFuture.failedFuture(StoreException.full(store, UNDER_WAY));
        }
        var outcome = new CompletableFuture<T>();
        outcome.whenComplete((value, error) -> underWay.decrementAndGet());
        CompletableFuture<Connected> connection = connection();
        CompletableFuture<Connected> ready = connection.isDone()
                ? connection
                : connection.copy().orTimeout(CONNECTION.toMillis(), TimeUnit.MILLISECONDS);
        ready.whenComplete((connected, error) -> {
            if (error != null) {
                outcome.completeExceptionally(told(error, CONNECTION));
            } else {
                send(connection, connected, command, outcome);
            }
        });
        return outcome;
    }

    void close() {
        if (closed.compareAndSet(false, true)) {
            CompletableFuture<Connected> last = current.getAndSet(null);
            if (last != null) {
                last.completeExceptionally(StoreException.closed(store));
            }
            clients.thenAccept(LettuceClients::close);
        }
    }

    private void open(TlsMaterial tls) {
        try {
            clients.complete(new LettuceClients(store, tls, COMMAND));
        } catch (RuntimeException | Error e) {
            clients.completeExceptionally(e);
        }
    }

    private CompletableFuture<Connected> connection() {
        CompletableFuture<Connected> known = current.get();
        if (known != null && !isGone(known)) {
            return known;
        }
        StoreException pause = closed.get() ? StoreException.closed(store) : pauses.now();
        if (pause != null) {
            return CompletableFuture.failedFuture(pause);
        }
        var attempt = new CompletableFuture<Connected>();
        if (!current.compareAndSet(known, attempt)) {
            return connection();
        }
        if (known != null) {
            // The client remembers it until then.
            known.thenAccept(gone -> gone.connection().closeAsync());
        }
        begin(attempt);
        return attempt;
    }

    /** Whether the other end closed it since. */
    private static boolean isGone(CompletableFuture<Connected> known) {
        return known.isDone()
                && (known.isCompletedExceptionally() || !known.join().connection().isOpen());
    }

    private void begin(CompletableFuture<Connected> attempt) {
        attempt.orTimeout(ATTEMPT.toMillis(), TimeUnit.MILLISECONDS);
        attempt.whenComplete((connected, error) -> {
            if (error != null && !closed.get()) {
                pauses.failed(told(error, ATTEMPT));
                current.compareAndSet(attempt, null);
            }
        });
        clients.thenCompose(LettuceClients::connect).whenComplete((connected, error) -> {
            if (error != null) {
                attempt.completeExceptionally(error);
            } else if (!attempt.complete(connected)) {
                // Too late: nobody waits for it any more.
                connected.connection().closeAsync();
            }
        });
    }

    private <T> void send(
            CompletableFuture<Connected> connection,
            Connected connected,
            Function<RedisClusterAsyncCommands<String, byte[]>, ? extends CompletionStage<T>> command,
            CompletableFuture<T> outcome) {
        if (outcome.isDone()) {
            return;
        }
        var answer = new CompletableFuture<T>();
        answer.orTimeout(COMMAND.toMillis(), TimeUnit.MILLISECONDS);
        answer.whenComplete((value, error) -> {
            if (error == null) {
                pauses.answered();
                outcome.complete(value);
                return;
            }
            StoreException told = told(error, COMMAND);
            if (breaks(error)) {
                giveUp(connection, connected, told);
            } else {
                pauses.answered();
            }
            outcome.completeExceptionally(told);
        });
        try {
            command.apply(connected.commands()).whenComplete((value, error) -> {
                if (error == null) {
                    answer.complete(value);
                } else {
                    answer.completeExceptionally(error);
                }
            });
        } catch (RuntimeException e) {
            answer.completeExceptionally(e);
        }
    }

    /** What was sent on it ends with an error, and is not sent again. */
    private void giveUp(CompletableFuture<Connected> connection, Connected connected, StoreException why) {
        if (current.get() == connection) {
            pauses.failed(why);
            if (current.compareAndSet(connection, null)) {
                connected.connection().closeAsync();
            }
        }
    }

    /** Whether a connection is of no use after this error: it is dead or silent, or no longer the master's. */
    private static boolean breaks(Throwable error) {
        String refusal = refusal(error);
        return refusal == null || NOT_THE_MASTER.contains(StoreException.code(refusal));
    }

    private StoreException told(Throwable error, Duration limit) {
        Throwable inner = StoreException.unwrapped(error);
        if (inner instanceof StoreException known) {
            return known;
        }
        if (StoreException.isSilence(inner)) {
            return StoreException.silent(store, limit);
        }
        String refusal = refusal(inner);
        return refusal == null ? StoreException.unreached(store, inner) : StoreException.refused(store, refusal);
    }

    /** What the server answered, also while a connection was made; null where it is no answer's fault. */
    private static @Nullable String refusal(Throwable error) {
        Throwable inner = error;
        for (int depth = 0; inner != null && depth < 10; depth++, inner = StoreException.next(inner)) {
            if (inner instanceof RedisCommandExecutionException && inner.getMessage() != null) {
                return inner.getMessage();
            }
        }
        return null;
    }
}
