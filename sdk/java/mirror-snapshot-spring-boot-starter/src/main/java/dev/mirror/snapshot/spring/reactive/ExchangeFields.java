package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.rules.RequestFields;
import dev.mirror.snapshot.spring.web.ContentCoding;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A request of a reactive server as rules read it. */
final class ExchangeFields implements RequestFields {
    private final Wire wire;
    private final byte @Nullable [] sent;
    private final int mostBody;
    private final @Nullable InetSocketAddress peer;
    private byte @Nullable [] body;
    private boolean decoded;

    /**
     * @param sent the whole body as sent, or null
     */
    ExchangeFields(Wire wire, byte @Nullable [] sent, int mostBody, @Nullable InetSocketAddress peer) {
        this.wire = wire;
        this.sent = sent;
        this.mostBody = mostBody;
        this.peer = peer;
    }

    @Override
    public String method() {
        return wire.method();
    }

    @Override
    public String target() {
        return wire.target();
    }

    @Override
    public @Nullable String header(String name, int nth) {
        return wire.header(name, nth);
    }

    @Override
    public byte @Nullable [] body() {
        if (!decoded) {
            body = ContentCoding.decoded(this, sent, mostBody);
            decoded = true;
        }
        return body;
    }

    @Override
    public Optional<InetAddress> client() {
        return Optional.ofNullable(peer).map(InetSocketAddress::getAddress);
    }
}
