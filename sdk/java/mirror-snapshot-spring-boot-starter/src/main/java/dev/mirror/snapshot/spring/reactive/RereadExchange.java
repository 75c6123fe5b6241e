package dev.mirror.snapshot.spring.reactive;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.springframework.core.ResolvableType;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.MediaType;
import org.springframework.http.codec.HttpMessageReader;
import org.springframework.http.codec.ServerCodecConfigurer;
import org.springframework.http.server.reactive.ServerHttpRequest;
import org.springframework.http.server.reactive.ServerHttpRequestDecorator;
import org.springframework.util.LinkedMultiValueMap;
import org.springframework.util.MultiValueMap;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.ServerWebExchangeDecorator;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** An exchange whose request's body was read for a rule, and is given on as it came. */
final class RereadExchange extends ServerWebExchangeDecorator {
    private static final ResolvableType FORM =
            ResolvableType.forClassWithGenerics(MultiValueMap.class, String.class, String.class);

    private final ServerHttpRequest request;
    private final @Nullable Mono<MultiValueMap<String, String>> form;

    RereadExchange(ServerWebExchange exchange, ReadBody body, @Nullable ServerCodecConfigurer codecs) {
        super(exchange);
        this.request = new ServerHttpRequestDecorator(exchange.getRequest()) {
            @Override
            public Flux<DataBuffer> getBody() {
                return body.again(exchange.getResponse().bufferFactory());
            }
        };
        // The exchange inside would read the body that is read already.
        this.form = isForm(request) && codecs != null ? form(request, codecs).cache() : null;
    }

    private static boolean isForm(ServerHttpRequest request) {
        try {
            return MediaType.APPLICATION_FORM_URLENCODED.isCompatibleWith(request.getHeaders().getContentType());
        } catch (IllegalArgumentException noMediaType) {
            return false;
        }
    }

    @SuppressWarnings("unchecked") // The reader says that it reads this type.
    private static Mono<MultiValueMap<String, String>> form(ServerHttpRequest request, ServerCodecConfigurer codecs) {
        for (HttpMessageReader<?> reader : codecs.getReaders()) {
            if (reader.canRead(FORM, MediaType.APPLICATION_FORM_URLENCODED)) {
                return ((HttpMessageReader<MultiValueMap<String, String>>) reader)
                        .readMono(FORM, request, Map.of())
                        .defaultIfEmpty(new LinkedMultiValueMap<>());
            }
        }
        return Mono.just(new LinkedMultiValueMap<>());
    }

    @Override
    public ServerHttpRequest getRequest() {
        return request;
    }

    @Override
    public Mono<MultiValueMap<String, String>> getFormData() {
        return form != null ? form : super.getFormData();
    }
}
