package dev.mirror.snapshot.spring.web;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotMissException;
import dev.mirror.snapshot.SnapshotState;
import dev.mirror.snapshot.guard.WriteRefusedException;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A mirror's answer to a request that it can or must not answer: status 503.
 *
 * @param state of the request's snapshot
 * @param text what to do about it
 */
public record Refusal(SnapshotState state, String text) {
    /** The status of such an answer. */
    public static final int STATUS = 503;
    /** The content-type of the text. */
    public static final String TYPE = "text/plain;charset=UTF-8";

    /** Causes of causes are looked at so far. */
    private static final int DEEPEST = 24;

    /**
     * The refusal that stands behind an error, however wrapped.
     *
     * @param request null where the error came outside of one
     */
    public static Optional<Refusal> of(Throwable error, @Nullable RequestSnapshot request) {
        Throwable found = find(error, DEEPEST);
        if (found == null) {
            return Optional.empty();
        }
        SnapshotState state = found instanceof SnapshotMissException miss ? miss.state()
                : request == null ? SnapshotState.UNREAD : request.state();
        return Optional.of(new Refusal(state, "This mirror does not answer: " + found.getMessage() + "\n"));
    }

    private static @Nullable Throwable find(@Nullable Throwable error, int deeper) {
        if (error == null || deeper == 0) {
            return null;
        }
        if (error instanceof SnapshotMissException || error instanceof WriteRefusedException) {
            return error;
        }
        Throwable found = find(error.getCause(), deeper - 1);
        // Reactor's way of several errors at once.
        Throwable[] suppressed = found == null ? error.getSuppressed() : new Throwable[0];
        for (int i = 0; found == null && i < Math.min(suppressed.length, 4); i++) {
            found = find(suppressed[i], Math.min(deeper - 1, 4));
        }
        return found;
    }
}
