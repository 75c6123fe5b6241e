package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.web.WebSettings;
import java.net.InetSocketAddress;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.core.Ordered;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.util.ClassUtils;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;

/**
 * Gives every request its snapshot, in the context of Reactor under the key {@code RequestSnapshot.class} and as an attribute
 * of the exchange, and finishes it when it has been answered. Blocks nobody.
 *
 * <p>What goes wrong here is logged once and leaves the request as if this filter were not there.
 */
public final class SnapshotWebFilter implements WebFilter, Ordered {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotWebFilter.class);
    private static final String SNAPSHOT = RequestSnapshot.class.getName();
    private static final boolean WITH_NETTY =
            ClassUtils.isPresent("reactor.netty.http.server.HttpServerRequest", SnapshotWebFilter.class.getClassLoader());

    private final Snapshots snapshots;
    private final WebSettings settings;
    private final @Nullable ServerCodecConfigurer codecs;
    private final AtomicBoolean complained = new AtomicBoolean();

    /**
     * @param codecs read forms; null for none
     */
    SnapshotWebFilter(Snapshots snapshots, WebSettings settings, @Nullable ServerCodecConfigurer codecs) {
        this.snapshots = snapshots;
        this.settings = settings;
        this.codecs = codecs;
    }

    /** The snapshot of a request that came through the filter, or null. */
    static RequestSnapshot of(ServerWebExchange exchange) {
        return exchange.getAttribute(SNAPSHOT);
    }

    @Override
    public int getOrder() {
        return HIGHEST_PRECEDENCE;
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        if (of(exchange) != null) {
            return chain.filter(exchange);
        }
        Wire wire;
        boolean readsBody;
        try {
            wire = wire(exchange);
            readsBody = snapshots.readsBody(wire.method(), wire.target());
        } catch (RuntimeException | LinkageError error) {
            complain("a request goes on without a snapshot", error);
            return chain.filter(exchange);
        }
        if (!readsBody) {
            return named(exchange, chain, wire, null);
        }
        if (isEmpty(wire)) {
            return named(exchange, chain, wire, ReadBody.NONE.bytes());
        }
        if (!isForRules(wire)) {
            return named(exchange, chain, wire, null);
        }
        return BodyBeginning.read(exchange.getRequest().getBody(), settings.mostBody())
                .flatMap(body -> named(new RereadExchange(exchange, body, codecs), chain, wire, body.whole())
                        .doFinally(how -> body.discard()));
    }

    private static Wire wire(ServerWebExchange exchange) {
        Wire netty = WITH_NETTY ? NettyRequest.of(exchange.getRequest()) : null;
        return netty != null ? netty : new ServerRequest(exchange.getRequest());
    }

    /** Whether a request has no body at all. */
    private static boolean isEmpty(Wire wire) {
        String length = wire.header("content-length", 0);
        return length == null ? wire.header("transfer-encoding", 0) == null && isWithoutBody(wire.method())
                : length.trim().equals("0");
    }

    /** With HTTP/2 a body may come without either header. */
    private static boolean isWithoutBody(String method) {
        return method.equals("GET") || method.equals("HEAD");
    }

    /** Of a known length up to the limit or of none, and not in parts. */
    private boolean isForRules(Wire wire) {
        String type = wire.header("content-type", 0);
        if (type != null && type.trim().toLowerCase(Locale.ROOT).startsWith("multipart/")) {
            return false;
        }
        String length = wire.header("content-length", 0);
        try {
            return length == null || Long.parseLong(length.trim()) <= settings.mostBody();
        } catch (NumberFormatException none) {
            return false;
        }
    }

    /**
     * @param body the whole body as sent, or null
     */
    private Mono<Void> named(ServerWebExchange exchange, WebFilterChain chain, Wire wire, byte @Nullable [] body) {
        RequestSnapshot snapshot;
        try {
            InetSocketAddress peer = settings.peer() ? wire.peer() : null;
            snapshot = snapshots.begin(new ExchangeFields(wire, body, settings.mostBody(), peer), peer);
            exchange.getAttributes().put(SNAPSHOT, snapshot);
            tell(snapshot, exchange.getResponse());
        } catch (RuntimeException | LinkageError | StackOverflowError error) {
            complain("a request goes on without a snapshot", error);
            return chain.filter(exchange);
        }
        return chain.filter(exchange)
                .contextWrite(context -> context.put(RequestSnapshot.class, snapshot))
                .doFinally(how -> finish(snapshot));
    }

    private void tell(RequestSnapshot snapshot, ServerHttpResponse response) {
        if (!settings.responseHeader().isEmpty()) {
            snapshot.id().ifPresent(id -> response.getHeaders().set(settings.responseHeader(), id.text()));
        }
        if (snapshots.profile() == Profile.MIRROR) {
            beforeCommit(response, () -> tellState(snapshot, response));
        }
        snapshot.toldIn().ifPresent(header -> beforeCommit(response, () -> tellId(snapshot, response, header)));
    }

    /** How the mirror's look for the snapshot ended, so far, and whether it files the request's effects. */
    private static void tellState(RequestSnapshot snapshot, ServerHttpResponse response) {
        response.getHeaders().set(Headers.SNAPSHOT, snapshot.state().text());
        if (snapshot.filesEffects()) {
            response.getHeaders().set(Headers.EFFECTS, "1");
        }
    }

    private void beforeCommit(ServerHttpResponse response, Runnable telling) {
        response.beforeCommit(() -> {
            try {
                telling.run();
            } catch (RuntimeException noHeader) {
                complain("an answer does not tell what it should", noHeader);
            }
            return Mono.empty();
        });
    }

    /** The id that names a request by its response, unless the service itself tells one there: then that counts. */
    private static void tellId(RequestSnapshot snapshot, ServerHttpResponse response, String header) {
        String told = response.getHeaders().getFirst(header);
        if (told == null) {
            snapshot.id().ifPresent(id -> response.getHeaders().set(header, id.text()));
        } else {
            RequestId.of(told.trim()).ifPresent(snapshot::name);
        }
    }

    private void finish(RequestSnapshot snapshot) {
        try {
            snapshot.finish();
        } catch (RuntimeException | LinkageError | StackOverflowError error) {
            complain("a request's snapshot was not filed", error);
        }
    }

    private void complain(String what, Throwable error) {
        if (complained.compareAndSet(false, true)) {
            LOG.warn("{} (not told again): please report this", what, error);
        }
    }
}
