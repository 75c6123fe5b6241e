package dev.mirror.snapshot.spring.reactive;

import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.http.server.reactive.ServerHttpRequest;

/** A request as Spring shows it, where its server is not Netty. */
record ServerRequest(ServerHttpRequest request) implements Wire {
    @Override
    public String method() {
        return request.getMethod().name();
    }

    @Override
    public String target() {
        URI uri = request.getURI();
        return uri.getRawQuery() == null ? uri.getRawPath() : uri.getRawPath() + "?" + uri.getRawQuery();
    }

    @Override
    public @Nullable String header(String name, int nth) {
        if (nth == 0) {
            return request.getHeaders().getFirst(name);
        }
        List<String> lines = new ArrayList<>();
        request.getHeaders().forEach((key, values) -> {
            if (key.equalsIgnoreCase(name)) {
                lines.addAll(values);
            }
        });
        return nth < lines.size() ? lines.get(nth) : null;
    }

    @Override
    public InetSocketAddress peer() {
        return request.getRemoteAddress();
    }
}
