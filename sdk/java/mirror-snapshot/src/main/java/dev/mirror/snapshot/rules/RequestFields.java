package dev.mirror.snapshot.rules;

import java.net.InetAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What a rule may read of a request, or of a response, which has neither method nor target. */
public interface RequestFields {
    /** The method as sent; empty for a response. */
    default String method() {
        return "";
    }

    /**
     * The target as sent, with its query; empty for a response.
     *
     * @return one character (U+0000 to U+00FF) for each byte
     */
    default String target() {
        return "";
    }

    /**
     * The value of the {@code nth} field line of that name, from 0; null where there is none.
     *
     * @param name in lower case
     * @return one character (U+0000 to U+00FF) for each byte
     */
    @Nullable String header(String name, int nth);

    /** The body without its content-coding; called only when a rule asks for it. Null where there is none to read. */
    byte @Nullable [] body();

    /** The address of the connection's other end. */
    default Optional<InetAddress> client() {
        return Optional.empty();
    }
}
