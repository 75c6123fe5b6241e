package dev.mirror.snapshot.rules;

import dev.mirror.snapshot.RequestId;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Identical requests told apart by the order in which they came: counts how often each id was derived within a time. Bounded: where too many
 * are remembered, the oldest is forgotten. For any number of threads.
 */
public final class Occurrences {
    /** An id is remembered for so long after its first occurrence. */
    public static final Duration REMEMBERED = Duration.ofSeconds(60);
    /** Ids that are remembered at the most. */
    public static final int MOST = 100_000;
    /** Each call forgets so many at the most, so that none has to tidy up after a rush. */
    private static final int FORGOTTEN_AT_ONCE = 4;

    private final ReentrantLock lock = new ReentrantLock();
    private final long rememberedMillis;
    private final int most;
    /** In the order of their first occurrence. By text, which hash collisions cannot make slow. */
    private final Map<String, Seen> ids = new LinkedHashMap<>();

    private static final class Seen {
        private final long since;
        private int count;

        private Seen(long since) {
            this.since = since;
        }
    }

    /** Remembers {@link #MOST} ids for {@link #REMEMBERED}. */
    public Occurrences() {
        this(REMEMBERED, MOST);
    }

    /**
     * @param remembered how long an id is remembered
     * @param most ids that are remembered, at least one
     */
    Occurrences(Duration remembered, int most) {
        this.rememberedMillis = remembered.toMillis();
        this.most = most;
    }

    /**
     * The number of this occurrence of the id, from 0.
     *
     * @param now milliseconds since any fixed moment
     */
    public int count(RequestId id, long now) {
        lock.lock();
        try {
            forget(now);
            Seen seen = ids.get(id.text());
            if (seen != null && !isOver(seen, now)) {
                return ++seen.count;
            }
            // Put anew it is the youngest.
            ids.remove(id.text());
            ids.put(id.text(), new Seen(now));
            return 0;
        } finally {
            lock.unlock();
        }
    }

    private void forget(long now) {
        Iterator<Seen> oldest = ids.values().iterator();
        for (int left = FORGOTTEN_AT_ONCE; left > 0 && oldest.hasNext(); left--) {
            if (!isOver(oldest.next(), now) && ids.size() < most) {
                return;
            }
            oldest.remove();
        }
    }

    private boolean isOver(Seen seen, long now) {
        return now - seen.since > rememberedMillis;
    }

    /** How many are remembered. */
    int size() {
        lock.lock();
        try {
            return ids.size();
        } finally {
            lock.unlock();
        }
    }
}
