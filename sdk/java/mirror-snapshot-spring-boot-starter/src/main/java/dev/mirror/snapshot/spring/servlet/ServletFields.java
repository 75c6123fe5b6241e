package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.rules.RequestFields;
import dev.mirror.snapshot.spring.web.ContentCoding;
import jakarta.servlet.http.HttpServletRequest;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Enumeration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** A servlet request as rules read it. */
final class ServletFields implements RequestFields {
    private final HttpServletRequest request;
    private final String target;
    private final byte @Nullable [] sent;
    private final int mostBody;
    private final @Nullable InetSocketAddress peer;
    private byte @Nullable [] body;
    private boolean decoded;

    /**
     * @param request the container's own, as it came over the wire
     * @param sent the whole body as sent, or null
     */
    ServletFields(HttpServletRequest request, String target, byte @Nullable [] sent, int mostBody,
            @Nullable InetSocketAddress peer) {
        this.request = request;
        this.target = target;
        this.sent = sent;
        this.mostBody = mostBody;
        this.peer = peer;
    }

    /** Path and query as sent. */
    static String target(HttpServletRequest request) {
        String query = request.getQueryString();
        String path = request.getRequestURI();
        return query == null ? path : path + "?" + query;
    }

    @Override
    public String method() {
        return request.getMethod();
    }

    @Override
    public String target() {
        return target;
    }

    @Override
    public @Nullable String header(String name, int nth) {
        if (nth == 0) {
            return request.getHeader(name);
        }
        Enumeration<String> lines = request.getHeaders(name);
        for (int i = 0; i < nth && lines.hasMoreElements(); i++) {
            lines.nextElement();
        }
        return lines.hasMoreElements() ? lines.nextElement() : null;
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
