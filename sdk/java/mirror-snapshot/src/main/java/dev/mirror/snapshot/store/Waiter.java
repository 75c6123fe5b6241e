package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Waits for snapshots, for any number of callers at once: all of them share looks. Its thread begins with the first wait and ends
 * when nobody has waited for some seconds.
 */
public final class Waiter implements AutoCloseable {
    private static final int MOST_WAITS = 100_000;
    private static final Duration IDLE = Duration.ofSeconds(3);

    private final SnapshotStore store;
    private final WaitOptions options;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition arrived = lock.newCondition();
    /** Not looked for yet. The lock guards it, and what stands below. */
    private List<Wait> fresh = new ArrayList<>();
    /** All that have not ended. */
    private int waiting;
    private boolean running;
    private boolean closed;

    /** Waits for what this store holds, so long and so often; the store stays open. */
    public Waiter(SnapshotStore store, WaitOptions options) {
        this.store = store;
        this.options = options;
    }

    /**
     * Looks for a key at once and then with every poll, until something stands there or a look comes after the time is over.
     *
     * <p>The stage never fails by itself. What depends on it runs on the waiter's thread and must not block there: who goes on at
     * length does so elsewhere, as with {@code thenApplyAsync}. Who cancels it is not looked for any more. While 100,000 wait, a
     * further one ends as unavailable.
     */
    public CompletableFuture<Waited> wait(String key) {
        Wait wait = new Wait(key);
        Throwable refusal = take(wait);
        if (refusal != null) {
            wait.unavailable(refusal);
        }
        return wait;
    }

    /** How many are waiting now. */
    public int waiting() {
        lock.lock();
        try {
            return waiting;
        } finally {
            lock.unlock();
        }
    }

    /** Ends all waits, as unavailable, and the thread, after the look that is under way. */
    @Override
    public void close() {
        lock.lock();
        try {
            closed = true;
            arrived.signal();
        } finally {
            lock.unlock();
        }
    }

    /** Null, or why it is not waited for. */
    private @Nullable Throwable take(Wait wait) {
        lock.lock();
        try {
            if (closed) {
                return new IllegalStateException("nothing is waited for any more: the service ends");
            }
            if (waiting == MOST_WAITS) {
                return new IllegalStateException("more than " + MOST_WAITS + " wait for snapshots at once");
            }
            if (!running) {
                Thread thread = new Thread(new Looks(this, store, options), "mirror-snapshot-wait");
                thread.setDaemon(true);
                thread.start();
                running = true;
            }
            fresh.add(wait);
            waiting++;
            arrived.signal();
            return null;
        } catch (OutOfMemoryError noThread) {
            return noThread;
        } finally {
            lock.unlock();
        }
    }

    /**
     * For the thread: what is new, at this time at the latest; null where it is to end.
     *
     * @param nobodyWaits of those that it knows
     * @param until in {@link System#nanoTime()}
     */
    @Nullable List<Wait> arrived(boolean nobodyWaits, long until) {
        lock.lock();
        try {
            long end = nobodyWaits ? System.nanoTime() + IDLE.toNanos() : until;
            long left = end - System.nanoTime();
            while (fresh.isEmpty() && !closed && left > 0) {
                left = arrived.awaitNanos(left);
            }
            if (closed || nobodyWaits && fresh.isEmpty()) {
                running = false;
                return null;
            }
            return takeFresh();
        } catch (InterruptedException nobodyDoes) {
            return takeFresh();
        } finally {
            lock.unlock();
        }
    }

    boolean isClosed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    /** For the thread: so many waits are over. */
    void ended(int many) {
        lock.lock();
        try {
            waiting -= many;
        } finally {
            lock.unlock();
        }
    }

    /** For the thread, which ends, for whatever reason: who arrived meanwhile. */
    List<Wait> abandoned() {
        lock.lock();
        try {
            running = false;
            return takeFresh();
        } finally {
            lock.unlock();
        }
    }

    private List<Wait> takeFresh() {
        List<Wait> taken = fresh;
        fresh = new ArrayList<>();
        return taken;
    }
}
