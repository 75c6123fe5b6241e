package dev.mirror.snapshot.store;

import org.jspecify.annotations.Nullable;

/** A store's URL that cannot be used. Its message says why and what to write, and shows nothing that could be a secret. */
public final class StoreUrlException extends IllegalArgumentException {
    private static final String FORMS = "Write redis://HOST:6379, rediss:// for TLS, redis+sentinel://HOST:26379,HOST:26379/MASTER"
            + " or redis+cluster://HOST,HOST, with USER:PASSWORD@ before the hosts where the store asks for them"
            + " (percent-encoded: %2F for /, %40 for @)";

    StoreUrlException(String why) {
        this(why, null);
    }

    StoreUrlException(String why, @Nullable Throwable cause) {
        super("the snapshot store's URL cannot be used: " + why + ". " + FORMS, cause);
    }
}
