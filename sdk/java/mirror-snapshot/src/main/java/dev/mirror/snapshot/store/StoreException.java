package dev.mirror.snapshot.store;

import java.time.Duration;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Why the store did not do what it was asked. Its message says which store, what happened and what to do, and shows neither a
 * value nor a password. Where it could not be told whether a write was done, it is one of these too.
 */
public final class StoreException extends RuntimeException {
    private static final int LONGEST_ANSWER = 120;

    /** Without a stack trace: there may be thousands of these in a second, and none comes from the caller. */
    private StoreException(StoreOptions store, String what, @Nullable Throwable cause) {
        super("snapshot store " + store + ": " + what, cause, false, false);
    }

    /** The store answered with an error. */
    static StoreException refused(StoreOptions store, String answer) {
        return new StoreException(store, shortened(answer) + advice(answer, store), null);
    }

    /** There was no connection, or it broke. */
    static StoreException unreached(StoreOptions store, Throwable why) {
        Throwable first = origin(why);
        String text = first.getMessage() == null ? first.getClass().getSimpleName() : shortened(first.getMessage());
        return new StoreException(
                store, "not reached (" + text + "); check that it runs, its host and port, and whether it wants TLS", first);
    }

    static StoreException silent(StoreOptions store, Duration limit) {
        String tls = store.tls().on() ? ", or it speaks no TLS there" : ", or it wants TLS there";
        String what = "no answer within " + limit.toMillis() + " ms: it or the network is overloaded";
        return new StoreException(store, what + tls, null);
    }

    static StoreException pausing(StoreOptions store, Duration left, Throwable why) {
        String reason = why instanceof StoreException ? "; before: " + why.getMessage() : "";
        return new StoreException(store, "not reached, tried again in " + left.toMillis() + " ms" + reason, null);
    }

    static StoreException full(StoreOptions store, int most) {
        return new StoreException(store, "more than " + most + " calls are under way", null);
    }

    static StoreException taken(StoreOptions store) {
        return new StoreException(store, "a snapshot stands under this number already, and this one was not filed", null);
    }

    static StoreException closed(StoreOptions store) {
        return new StoreException(store, "it was closed", null);
    }

    /** Without what futures wrap around an error. */
    static Throwable unwrapped(Throwable error) {
        Throwable inner = error;
        while ((inner instanceof CompletionException || inner instanceof ExecutionException) && inner.getCause() != null) {
            inner = inner.getCause();
        }
        return inner;
    }

    /** Of no answer in time, or of a connection that was given up meanwhile. */
    static boolean isSilence(Throwable error) {
        return error instanceof TimeoutException || error instanceof CancellationException;
    }

    private static Throwable origin(Throwable error) {
        Throwable inner = error;
        Throwable next = next(inner);
        for (int depth = 0; next != null && depth < 10; depth++) {
            inner = next;
            next = next(inner);
        }
        return inner;
    }

    /** What stands behind an error, or behind the first of several; null where nothing does. */
    static @Nullable Throwable next(Throwable error) {
        Throwable[] several = error.getSuppressed();
        return error.getCause() == null && several.length > 0 ? several[0] : error.getCause();
    }

    /** One line. Servers quote arguments in some errors, a document among them. */
    private static String shortened(String message) {
        String answer = message.lines().findFirst().orElse("");
        int quoted = answer.indexOf(", with args beginning");
        String text = (quoted < 0 ? answer : answer.substring(0, quoted)).strip().replaceFirst("\\.$", "");
        return text.length() <= LONGEST_ANSWER ? text : text.substring(0, LONGEST_ANSWER) + "…";
    }

    private static String advice(String answer, StoreOptions store) {
        return switch (code(answer)) {
            case "WRONGPASS", "NOAUTH" -> "; check user and password in its URL";
            case "NOPERM" -> "; allow its user `~" + store.prefix() + "snapshot*` and `+get +mget +set +ping"
                    + (store.topology() == StoreOptions.Topology.CLUSTER ? " +cluster`" : "`")
                    + ", and `+rpush +pexpire` in production for rules with ` #n`";
            case "OOM" -> "; it is full: give it more memory, or let it evict";
            case "READONLY" -> "; this is a replica: name the master, or the sentinels with redis+sentinel://";
            case "MOVED", "ASK", "CROSSSLOT" -> "; this is a cluster's node: write redis+cluster://";
            default -> answer.contains("cluster support disabled")
                    ? "; this is no cluster: write redis://"
                    : answer.contains("without any password configured") ? "; it has none: leave the password out" : "";
        };
    }

    /** The first word, which names the kind of an error. */
    static String code(String answer) {
        int end = answer.indexOf(' ');
        return end < 0 ? answer : answer.substring(0, end);
    }
}
