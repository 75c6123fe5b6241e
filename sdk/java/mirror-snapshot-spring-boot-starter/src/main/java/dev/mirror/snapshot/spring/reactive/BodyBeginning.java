package dev.mirror.snapshot.spring.reactive;

import java.io.ByteArrayOutputStream;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

/**
 * Reads a body up to a limit, buffer by buffer, and each buffer is released at once. Of a longer body the rest stays where it
 * is until somebody subscribes to {@link #rest()}; nothing is asked for meanwhile.
 */
final class BodyBeginning implements CoreSubscriber<DataBuffer> {
    private final int most;
    private final MonoSink<ReadBody> sink;
    private final ByteArrayOutputStream read = new ByteArrayOutputStream(1024);
    private @Nullable Subscription upstream;
    /** The limit was reached, and whoever wants the rest asks for it. */
    private volatile boolean longer;
    private volatile @Nullable CoreSubscriber<? super DataBuffer> downstream;
    /** Whether downstream may be told of the end. */
    private volatile boolean ready;
    private volatile @Nullable End end;
    private final AtomicBoolean told = new AtomicBoolean();

    private record End(@Nullable Throwable error) {}

    private BodyBeginning(int most, MonoSink<ReadBody> sink) {
        this.most = most;
        this.sink = sink;
    }

    /** Fails never: a failure is kept for whoever reads the body next. */
    static Mono<ReadBody> read(Flux<DataBuffer> body, int most) {
        return Mono.create(sink -> {
            BodyBeginning reading = new BodyBeginning(most, sink);
            sink.onCancel(reading::discard);
            body.subscribe(reading);
        });
    }

    @Override
    public Context currentContext() {
        return Context.of(sink.contextView());
    }

    @Override
    public void onSubscribe(Subscription subscription) {
        upstream = subscription;
        subscription.request(1);
    }

    @Override
    public void onNext(DataBuffer buffer) {
        if (longer) {
            // Nothing more is asked for before there is one.
            Objects.requireNonNull(downstream).onNext(buffer);
            return;
        }
        byte[] bytes = new byte[buffer.readableByteCount()];
        buffer.read(bytes);
        DataBufferUtils.release(buffer);
        read.writeBytes(bytes);
        if (read.size() > most) {
            longer = true;
            sink.success(new ReadBody(read.toByteArray(), this, null));
        } else {
            upstream().request(1);
        }
    }

    /** There is one before anything comes. */
    private Subscription upstream() {
        return Objects.requireNonNull(upstream);
    }

    @Override
    public void onComplete() {
        if (longer) {
            end = new End(null);
            tellEnd();
        } else {
            sink.success(new ReadBody(read.toByteArray(), null, null));
        }
    }

    @Override
    public void onError(Throwable error) {
        if (longer) {
            end = new End(error);
            tellEnd();
        } else {
            sink.success(new ReadBody(read.toByteArray(), null, error));
        }
    }

    /** What comes behind the beginning, once. */
    Flux<DataBuffer> rest() {
        return new Flux<>() {
            @Override
            public void subscribe(CoreSubscriber<? super DataBuffer> actual) {
                handOn(actual);
            }
        };
    }

    private void handOn(CoreSubscriber<? super DataBuffer> actual) {
        if (downstream != null) {
            Operators.error(actual, new IllegalStateException("the body of a request is read once"));
            return;
        }
        downstream = actual;
        actual.onSubscribe(upstream());
        ready = true;
        tellEnd();
    }

    private void tellEnd() {
        CoreSubscriber<? super DataBuffer> rest = downstream;
        End reached = end;
        if (ready && rest != null && reached != null && told.compareAndSet(false, true)) {
            if (reached.error == null) {
                rest.onComplete();
            } else {
                rest.onError(reached.error);
            }
        }
    }

    /** Nobody wants the rest. Has no effect where somebody reads it or has read it. */
    void discard() {
        if (downstream == null && end == null && upstream != null) {
            upstream.cancel();
        }
    }
}
