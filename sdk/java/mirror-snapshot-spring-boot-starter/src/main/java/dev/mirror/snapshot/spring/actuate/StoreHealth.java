package dev.mirror.snapshot.spring.actuate;

import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.SnapshotMisuses;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * How it goes with snapshots. Production is never down for them, so that nothing restarts it; a mirror that cannot answer is.
 */
final class StoreHealth {
    private static final long LONGEST_MILLIS = 500;

    private final Snapshots snapshots;
    private final SnapshotMisuses misuses;

    StoreHealth(Snapshots snapshots, SnapshotMisuses misuses) {
        this.snapshots = snapshots;
        this.misuses = misuses;
    }

    /**
     * What to tell.
     *
     * @param status {@code UP}, {@code UNKNOWN} or {@code DOWN}
     * @param details never a value of a snapshot
     */
    record Told(String status, Map<String, Object> details) {}

    /** Takes 500 ms at the most. */
    Told tell() {
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("profile", snapshots.profile().name().toLowerCase(Locale.ROOT));
        snapshots.misconfigured().ifPresent(why -> details.put("misconfigured", why));
        Set<String> misused = misuses.misuses();
        if (!misused.isEmpty()) {
            details.put("misused", misused);
        }
        String unreachable = snapshots.misconfigured().isPresent() ? null : unreachable();
        if (snapshots.misconfigured().isEmpty()) {
            details.put("store", unreachable == null ? "reachable" : "not reachable: " + unreachable);
        }
        details.put("pendingDocuments", snapshots.pendingDocuments());
        details.put("pendingBytes", snapshots.pendingBytes());
        details.put("counts", counts());
        boolean well = snapshots.misconfigured().isEmpty() && misused.isEmpty() && unreachable == null;
        return new Told(well ? "UP" : snapshots.profile() == Profile.MIRROR ? "DOWN" : "UNKNOWN", details);
    }

    /** Null where the store answers in time. */
    private @Nullable String unreachable() {
        try {
            snapshots.ping().toCompletableFuture().get(LONGEST_MILLIS, TimeUnit.MILLISECONDS);
            return null;
        } catch (TimeoutException slow) {
            return "no answer within " + LONGEST_MILLIS + " ms";
        } catch (InterruptedException asked) {
            Thread.currentThread().interrupt();
            return "interrupted";
        } catch (ExecutionException | RuntimeException failed) {
            Throwable cause = failed;
            while (cause.getCause() != null && (cause instanceof ExecutionException || cause instanceof CompletionException)) {
                cause = cause.getCause();
            }
            return String.valueOf(cause.getMessage());
        }
    }

    private Map<String, Long> counts() {
        Map<String, Long> counts = new LinkedHashMap<>();
        for (Outcome outcome : Outcome.values()) {
            long count = snapshots.counts().of(outcome);
            if (count > 0) {
                counts.put(outcome.text(), count);
            }
        }
        return counts;
    }
}
