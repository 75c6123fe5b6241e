package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.spring.web.Refusal;
import java.nio.charset.StandardCharsets;
import org.springframework.core.Ordered;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebExceptionHandler;
import reactor.core.publisher.Mono;

/** Answers what a mirror cannot answer, before the service's own error page. */
final class RefusalHandler implements WebExceptionHandler, Ordered {
    @Override
    public int getOrder() {
        return HIGHEST_PRECEDENCE;
    }

    @Override
    public Mono<Void> handle(ServerWebExchange exchange, Throwable error) {
        ServerHttpResponse response = exchange.getResponse();
        Refusal refusal = Refusal.of(error, SnapshotWebFilter.of(exchange)).orElse(null);
        if (refusal == null || response.isCommitted()) {
            return Mono.error(error);
        }
        byte[] text = refusal.text().getBytes(StandardCharsets.UTF_8);
        response.setStatusCode(HttpStatus.SERVICE_UNAVAILABLE);
        response.getHeaders().clearContentHeaders();
        response.getHeaders().setContentType(MediaType.parseMediaType(Refusal.TYPE));
        response.getHeaders().setContentLength(text.length);
        response.getHeaders().set(Headers.SNAPSHOT, refusal.state().text());
        return response.writeWith(Mono.fromSupplier(() -> response.bufferFactory().wrap(text)));
    }
}
