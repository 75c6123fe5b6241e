package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A service's way to the store: a bounded queue that nobody waits for, and the thread that empties it. Each document is filed once
 * or not at all, and how that ended is told.
 */
public final class Filings implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Filings.class);
    private static final int DOCUMENTS = 1024;
    private static final long BYTES = 64 << 20;
    /** Filed at once. */
    private static final int BATCH = 128;
    private static final Duration BATCH_LIMIT = Duration.ofSeconds(1);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(1);
    /**
     * After a batch the thread looks a few more times by itself before it has to be woken: while there is traffic, no request
     * pays for that.
     */
    private static final long LOOK_AGAIN_NANOS = 2_000_000;
    private static final int LOOKS = 25;

    private final SnapshotStore store;
    private final Duration timeToLive;
    private final int documents;
    private final long bytes;
    private final Listener listener;
    private final Queue<Filing> queue = new ConcurrentLinkedQueue<>();
    private final AtomicInteger pendingDocuments = new AtomicInteger();
    private final AtomicLong pendingBytes = new AtomicLong();
    private final AtomicBoolean sleeps = new AtomicBoolean();
    private final Thread writer = new Thread(this::run, "mirror-snapshot-file");
    /** When the last is to be filed, in {@link System#nanoTime()}; 0 before {@link #close()}. */
    private volatile long closesAt;
    private volatile boolean ended;

    /** Is told how each document ended: {@code dropped} on the request's thread, the others on the writer's. Must return at once. */
    public interface Listener {
        /** It stands under its key. */
        void filed();

        /** Another one stood there: the mark of a collision stands there now. */
        void collided();

        /** There was no room, or it was too late. */
        void dropped();

        /**
         * It could not be encoded, or the store did not take it, or did not say so in time.
         *
         * @param why a {@link StoreException} where it was the store
         */
        void failed(Throwable why);
    }

    /**
     * Where a snapshot of one of several identical requests is listed.
     *
     * @param list its key
     * @param entry called once on the writer's thread
     */
    public record Listing(String list, Supplier<byte[]> entry) {}

    private record Filing(Supplier<byte @Nullable []> document, Step step, int bytes) {}

    /** How a document is put into the store; called once on the writer's thread. */
    @FunctionalInterface
    private interface Step {
        CompletionStage<SnapshotStore.Put> put(byte[] document);
    }

    /** With room for 1024 documents and 64 MiB. */
    public Filings(SnapshotStore store, Duration timeToLive, Listener listener) {
        this(store, timeToLive, DOCUMENTS, BYTES, listener);
    }

    /**
     * Starts the thread, which ends with {@link #close()}; the store stays open after that.
     *
     * @param documents that may be on their way to the store, at least 1; what is more is dropped
     * @param bytes that they may hold, at least 1; what is more is dropped
     * @throws IllegalArgumentException where one of them is below 1
     */
    public Filings(SnapshotStore store, Duration timeToLive, int documents, long bytes, Listener listener) {
        if (documents < 1 || bytes < 1) {
            throw new IllegalArgumentException("the queue to the store needs room for at least one document and one byte");
        }
        this.store = store;
        this.timeToLive = timeToLive;
        this.documents = documents;
        this.bytes = bytes;
        this.listener = listener;
        writer.setDaemon(true);
        writer.start();
    }

    /**
     * Hands a document over without waiting; false where there was no room for it, which is told too.
     *
     * @param document called once on the writer's thread; null or an exception counts as failed
     * @param bytes how much it keeps in memory meanwhile, about
     */
    public boolean file(String key, Supplier<byte @Nullable []> document, int bytes) {
        return file(key, document, null, bytes);
    }

    /**
     * The same of a document that is listed too; never told as collided.
     *
     * @param listing null for none
     */
    public boolean file(String key, Supplier<byte @Nullable []> document, @Nullable Listing listing, int bytes) {
        return queue(document, bytes, listing == null
                ? encoded -> store.put(key, encoded, timeToLive)
                : encoded -> filed(store.putListed(key, encoded, timeToLive, listing.list, listing.entry.get())));
    }

    /** The same of a document that takes the place of whatever stands under its key; never told as collided. */
    public boolean replace(String key, Supplier<byte @Nullable []> document, int bytes) {
        return queue(document, bytes, encoded -> filed(store.replace(key, encoded, timeToLive)));
    }

    private static CompletionStage<SnapshotStore.Put> filed(CompletionStage<Void> done) {
        return done.thenApply(end -> SnapshotStore.Put.FILED);
    }

    private boolean queue(Supplier<byte @Nullable []> document, int bytes, Step step) {
        Filing filing = new Filing(document, step, Math.max(0, bytes));
        boolean fits = pendingDocuments.incrementAndGet() <= documents
                & pendingBytes.addAndGet(filing.bytes) <= this.bytes;
        if (ended || !fits) {
            end(filing, Listener::dropped);
            return false;
        }
        queue.add(filing);
        if (ended && queue.remove(filing)) {
            end(filing, Listener::dropped);
            return false;
        }
        if (sleeps.get() && sleeps.compareAndSet(true, false)) {
            LockSupport.unpark(writer);
        }
        return true;
    }

    /** Documents that are on their way. */
    public int pendingDocuments() {
        return pendingDocuments.get();
    }

    /** Bytes that are on their way. */
    public long pendingBytes() {
        return pendingBytes.get();
    }

    /** Files what is on its way for a second at the most, and drops the rest. Waits for that. */
    @Override
    public void close() {
        if (closesAt == 0) {
            closesAt = (System.nanoTime() + CLOSE_LIMIT.toNanos()) | 1;
        }
        LockSupport.unpark(writer);
        try {
            writer.join(CLOSE_LIMIT.multipliedBy(2).toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        List<Filing> batch = new ArrayList<>(BATCH);
        int looksLeft = 0;
        while (closesAt == 0 || timeToClose() > 0 && !queue.isEmpty()) {
            take(batch);
            if (!batch.isEmpty()) {
                file(batch);
                batch.clear();
                looksLeft = LOOKS;
            } else if (looksLeft > 0) {
                looksLeft--;
                LockSupport.parkNanos(this, LOOK_AGAIN_NANOS);
            } else {
                sleep();
            }
        }
        ended = true;
        for (Filing late = queue.poll(); late != null; late = queue.poll()) {
            end(late, Listener::dropped);
        }
    }

    private void sleep() {
        sleeps.set(true);
        if (queue.isEmpty() && closesAt == 0) {
            LockSupport.park(this);
        }
        sleeps.set(false);
    }

    private long timeToClose() {
        return closesAt - System.nanoTime();
    }

    private void take(List<Filing> batch) {
        Filing next;
        while (batch.size() < BATCH && (next = queue.poll()) != null) {
            batch.add(next);
        }
    }

    private void file(List<Filing> batch) {
        List<CompletableFuture<SnapshotStore.Put>> puts = new ArrayList<>(batch.size());
        for (Filing filing : batch) {
            puts.add(put(filing));
        }
        long limit = BATCH_LIMIT.toNanos();
        await(puts, closesAt == 0 ? limit : Math.min(limit, timeToClose()));
        for (int i = 0; i < batch.size(); i++) {
            end(batch.get(i), outcome(puts.get(i)));
        }
    }

    private CompletableFuture<SnapshotStore.Put> put(Filing filing) {
        try {
            byte[] document = filing.document.get();
            if (document == null) {
                return CompletableFuture.failedFuture(new IllegalStateException("there is no document"));
            }
            return filing.step.put(document).toCompletableFuture();
        } catch (RuntimeException | Error e) {
            // Whatever it is: the next document is filed.
            return CompletableFuture.failedFuture(e);
        }
    }

    private static void await(List<? extends CompletableFuture<?>> puts, long nanos) {
        try {
            CompletableFuture.allOf(puts.toArray(CompletableFuture<?>[]::new)).get(nanos, TimeUnit.NANOSECONDS);
        } catch (ExecutionException | TimeoutException | InterruptedException e) {
            // Each tells for itself.
        }
    }

    private static Consumer<Listener> outcome(CompletableFuture<SnapshotStore.Put> put) {
        put.cancel(false);
        try {
            return put.join() == SnapshotStore.Put.FILED ? Listener::filed : Listener::collided;
        } catch (CancellationException late) {
            return listener -> listener.failed(new TimeoutException("the store did not say in time whether it was filed"));
        } catch (CompletionException e) {
            return listener -> listener.failed(StoreException.unwrapped(e));
        }
    }

    private void end(Filing filing, Consumer<Listener> outcome) {
        pendingDocuments.decrementAndGet();
        pendingBytes.addAndGet(-filing.bytes);
        try {
            outcome.accept(listener);
        } catch (RuntimeException | Error e) {
            // Not the request's fault, nor the document's.
            LOG.debug("a listener of filings failed", e);
        }
    }
}
