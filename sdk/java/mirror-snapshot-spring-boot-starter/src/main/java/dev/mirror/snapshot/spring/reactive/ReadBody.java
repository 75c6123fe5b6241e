package dev.mirror.snapshot.spring.reactive;

import org.jspecify.annotations.Nullable;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferFactory;
import reactor.core.publisher.Flux;

/**
 * What was read of a request's body for a rule.
 *
 * @param bytes the body, or the beginning of it
 * @param beginning where the rest is; null where that is all
 * @param failure with which the reading ended, or null
 */
record ReadBody(byte[] bytes, @Nullable BodyBeginning beginning, @Nullable Throwable failure) {
    static final ReadBody NONE = new ReadBody(new byte[0], null, null);

    /** All of it for the rule; null where it is longer or failed. */
    byte @Nullable [] whole() {
        return beginning == null && failure == null ? bytes : null;
    }

    /** The body as it came. */
    Flux<DataBuffer> again(DataBufferFactory buffers) {
        Flux<DataBuffer> first = bytes.length == 0 ? Flux.empty() : Flux.defer(() -> Flux.just(buffers.wrap(bytes)));
        if (failure != null) {
            return first.concatWith(Flux.error(failure));
        }
        return beginning == null ? first : first.concatWith(beginning.rest());
    }

    void discard() {
        if (beginning != null) {
            beginning.discard();
        }
    }
}
