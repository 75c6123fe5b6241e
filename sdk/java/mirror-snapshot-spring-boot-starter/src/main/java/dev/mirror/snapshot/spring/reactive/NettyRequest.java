package dev.mirror.snapshot.spring.reactive;

import java.net.InetSocketAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import reactor.netty.http.server.HttpServerRequest;

/** A request as Netty got it over the wire, whatever was made of it since. */
record NettyRequest(HttpServerRequest request) implements Wire {
    /** Null where another server runs. */
    static @Nullable Wire of(ServerHttpRequest request) {
        try {
            Object wire = ServerHttpRequestDecorator.getNativeRequest(request);
            return wire instanceof HttpServerRequest netty ? new NettyRequest(netty) : null;
        } catch (IllegalArgumentException ofAnotherKind) {
            return null;
        }
    }

    @Override
    public String method() {
        return request.method().name();
    }

    @Override
    public String target() {
        return request.uri();
    }

    @Override
    public @Nullable String header(String name, int nth) {
        if (nth == 0) {
            return request.requestHeaders().get(name);
        }
        List<String> lines = request.requestHeaders().getAll(name);
        return nth < lines.size() ? lines.get(nth) : null;
    }

    @Override
    public @Nullable InetSocketAddress peer() {
        return request.connectionRemoteAddress() instanceof InetSocketAddress address ? address : null;
    }
}
