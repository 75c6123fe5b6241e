package dev.mirror.snapshot.spring.reactive;

import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/** A request as it came over the wire. */
interface Wire {
    String method();

    /** Path and query as sent. */
    String target();

    /** Null where there is no such line. */
    @Nullable String header(String name, int nth);

    /** The other end of the connection, or null. */
    @Nullable InetSocketAddress peer();
}
