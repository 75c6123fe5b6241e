package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.spring.ReactiveSnapshotSource;
import dev.mirror.snapshot.spring.recorded.RecordedMethod.Form;
import java.util.function.Supplier;
import org.aopalliance.intercept.MethodInvocation;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** Calls that give a {@code Mono} or a {@code Flux}. Loaded where the service has Reactor. */
final class RecordedPublishers {
    private final ReactiveSnapshotSource source;

    RecordedPublishers(ReactiveSnapshotSource source) {
        this.source = source;
    }

    /** In production the method is called now, as ever; in the mirror when a subscriber's read was told to be done after all. */
    Object published(RecordedMethod method, boolean mirror, MethodInvocation invocation) throws Throwable {
        Object[] arguments = invocation.getArguments();
        if (method.form() == Form.MONO) {
            return one(method, arguments, mirror ? later(invocation) : now(inside(invocation)));
        }
        return many(method, arguments, mirror ? later(invocation) : now(inside(invocation)));
    }

    /** What the method asks for itself is a part of it. */
    private static Object inside(MethodInvocation invocation) throws Throwable {
        RequestSnapshot request = SnapshotContext.currentOrNull();
        try (SnapshotContext.Scope doing = SnapshotContext.enter(request == null ? null : request.inside())) {
            return invocation.proceed();
        }
    }

    private static <P> Supplier<P> later(MethodInvocation invocation) {
        MethodInvocation later = RecordedCalls.later(invocation);
        return () -> RecordedCalls.unchecked(RecordedCalls.later(later));
    }

    @SuppressWarnings("unchecked") // The method's declaration says so.
    private static <P> Supplier<P> now(Object publisher) {
        return () -> (P) publisher;
    }

    private Mono<Object> one(RecordedMethod method, Object[] arguments, Supplier<Mono<Object>> database) {
        Object key = method.arguments().key(arguments);
        return method.isWrite() ? source.write(method.name(), key, method.arguments().written(arguments), method.type(), database)
                : source.load(method.name(), key, method.type(), database);
    }

    private Flux<Object> many(RecordedMethod method, Object[] arguments, Supplier<Flux<Object>> database) {
        Object key = method.arguments().key(arguments);
        return method.isWrite() ? source.writeMany(method.name(), key, method.arguments().written(arguments), method.type(), database)
                : source.loadMany(method.name(), key, method.type(), database);
    }
}
