package dev.mirror.snapshot.spring.reactive;

import java.net.InetSocketAddress;

/** A request as it came over the wire. */
interface Wire {
    String method();

    /** Path and query as sent. */
    String target();

    /** Null where there is no such line. */
    String header(String name, int nth);

    /** The other end of the connection, or null. */
    InetSocketAddress peer();
}
