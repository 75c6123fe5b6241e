package dev.mirror.snapshot.spring.reactive;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.http.codec.multipart.FilePart;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RequestPart;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A service on Netty that takes bodies in every way there is, and gives them back. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@Import(ReactiveBodies.Echo.class)
public class ReactiveBodies {
    @RestController
    static class Echo {
        @PostMapping("/json/bytes")
        Mono<byte[]> bytes(@RequestBody(required = false) Mono<byte[]> body) {
            return body;
        }

        @PostMapping("/json/buffers")
        Flux<DataBuffer> buffers(@RequestBody Flux<DataBuffer> body) {
            return body;
        }

        @PostMapping("/json/raw")
        Flux<DataBuffer> raw(ServerHttpRequest request) {
            return request.getBody();
        }

        @PostMapping("/json/map")
        Mono<Map<String, Object>> map(@RequestBody Mono<Map<String, Object>> body) {
            return body;
        }

        @PostMapping("/json/ignored")
        Mono<String> ignored() {
            return Mono.just("ignored");
        }

        @PostMapping("/json/first")
        Mono<String> first(ServerHttpRequest request) {
            return request.getBody().map(buffer -> {
                int length = buffer.readableByteCount();
                DataBufferUtils.release(buffer);
                return length > 0 ? "some" : "none";
            }).next();
        }

        @PostMapping("/form/data")
        Mono<String> form(ServerWebExchange exchange) {
            return exchange.getFormData().map(form -> form.get("user") + " " + form.getFirst("x"));
        }

        @PostMapping("/form/part")
        Mono<String> part(@RequestPart FilePart file) {
            return file.content().map(buffer -> {
                String text = buffer.toString(StandardCharsets.UTF_8);
                DataBufferUtils.release(buffer);
                return text;
            }).collectList().map(List::toString);
        }
    }
}
