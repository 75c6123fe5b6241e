package dev.mirror.snapshot.store;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.mirror.snapshot.store.SnapshotStore.Put;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the tests of stores do again and again. */
final class StoreSteps {
    static final Duration TTL = Duration.ofMinutes(5);
    static final Duration RECOVERS_WITHIN = Duration.ofSeconds(30);
    /** A call ends: connecting, a command, the mark of a collision, and a machine with much else to do. */
    private static final Duration ENDS_WITHIN = Duration.ofSeconds(30);

    private StoreSteps() {}

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static SnapshotStore open(String url, StoreClient client) {
        return Stores.open(StoreOptions.parse(url), client);
    }

    /** Opened, and connected: the first connection of a JVM takes long. */
    static SnapshotStore connected(String url, StoreClient client) {
        SnapshotStore store = open(url, client);
        RedisServer.until("connected to " + url, RECOVERS_WITHIN, () -> works(store.ping()));
        return store;
    }

    static <T> T await(CompletionStage<T> stage) {
        return stage.toCompletableFuture().orTimeout(30, TimeUnit.SECONDS).join();
    }

    static boolean works(CompletionStage<?> stage) {
        try {
            await(stage);
            return true;
        } catch (CompletionException e) {
            return false;
        }
    }

    /** Ends, and says why. */
    static String fails(Supplier<CompletionStage<?>> call) {
        try {
            call.get().toCompletableFuture().get(ENDS_WITHIN.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("it does not end within " + ENDS_WITHIN);
        } catch (Exception e) {
            return assertInstanceOf(StoreException.class, StoreException.unwrapped(e)).getMessage();
        }
        throw new AssertionError("it does not fail");
    }

    /** Why the server itself refuses a call, which is made again when the server did not answer in time. */
    static String refused(Supplier<CompletionStage<?>> call) {
        var why = new AtomicReference<String>();
        RedisServer.until("the server answers", RECOVERS_WITHIN, () -> {
            why.set(fails(call));
            return !isSilence(why.get());
        });
        return why.get();
    }

    /** Whether a call failed with this message because the store stood still. */
    static boolean isSilence(String why) {
        return why.contains("no answer within") || why.contains("not reached") || why.contains("did not say in time");
    }

    /**
     * Calls a store that answers nothing, until a call returns that has not ended. A caller that waited would always return after
     * the end. So does a call in a pause between two connections, which fails at once.
     */
    static void returnsBeforeItEnds(Supplier<CompletionStage<?>> call) {
        RedisServer.until("a call returns before its end", RECOVERS_WITHIN, () -> !call.get().toCompletableFuture().isDone());
    }

    /** The threads of all stores that are there now. */
    static Set<Thread> threads() {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith("mirror-store"))
                .collect(Collectors.toSet());
    }

    /** Puts until one succeeds, as a service goes on doing while its store is away; gives back how often. */
    static int untilFiled(SnapshotStore store, String label) {
        var tried = new AtomicInteger();
        RedisServer.until("filed again: " + label, RECOVERS_WITHIN, () ->
                works(store.put("snapshot:" + label + "-" + tried.incrementAndGet(), bytes("data"), TTL)));
        return tried.get();
    }

    /** What every store does in any topology: file, find, collide. */
    static void check(SnapshotStore store, String label) {
        List<String> keys = IntStream.range(0, 50).mapToObj(n -> label + "-" + n).toList();
        // A few at once: this is about what is done, not about how fast a JVM is that has just begun.
        for (int n = 0; n < keys.size(); n += 5) {
            List<CompletionStage<Put>> puts =
                    keys.subList(n, n + 5).stream().map(key -> store.put(key, bytes(key), TTL)).toList();
            puts.forEach(put -> assertEquals(Put.FILED, await(put)));
        }
        List<String> asked = new ArrayList<>(keys);
        asked.add(7, label + "-none");
        List<byte[]> found = new ArrayList<>(await(store.look(asked)));
        assertEquals(asked.size(), found.size());
        assertNull(found.remove(7));
        for (int n = 0; n < keys.size(); n++) {
            assertArrayEquals(bytes(keys.get(n)), found.get(n));
        }
        assertEquals(Put.COLLIDED, await(store.put(keys.get(3), bytes("other"), TTL)));
        assertArrayEquals(Stores.collided(), await(store.look(keys.subList(3, 4))).get(0));
    }
}
