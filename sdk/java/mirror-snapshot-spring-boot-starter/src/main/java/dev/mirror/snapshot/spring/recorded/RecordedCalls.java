package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.Reading;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.Snapshots;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.aopalliance.intercept.MethodInterceptor;
import org.aopalliance.intercept.MethodInvocation;
import org.springframework.aop.ProxyMethodInvocation;

/** Calls of annotated methods: done and recorded in production, answered from the snapshot in the mirror. */
final class RecordedCalls implements MethodInterceptor {
    private final RecordedMethods methods;
    private final Supplier<Snapshots> snapshots;
    private final Supplier<RecordedPublishers> publishers;

    /**
     * @param snapshots asked for at the first call, since beans are advised before those can be made
     * @param publishers the same; gives null where the service has no Reactor
     */
    RecordedCalls(RecordedMethods methods, Supplier<Snapshots> snapshots, Supplier<RecordedPublishers> publishers) {
        this.methods = methods;
        this.snapshots = snapshots;
        this.publishers = publishers;
    }

    @Override
    public Object invoke(MethodInvocation invocation) throws Throwable {
        Object target = invocation.getThis();
        RecordedMethod method = methods.find(invocation.getMethod(), target == null ? null : target.getClass()).orElse(null);
        if (method == null) {
            return invocation.proceed();
        }
        boolean mirror = snapshots.get().profile() == Profile.MIRROR;
        if (method.misuse() != null && !mirror) {
            return invocation.proceed();
        }
        SnapshotSource source = snapshots.get().source();
        return switch (method.form()) {
            // In the mirror what is misused comes here and is not found.
            case VALUE -> value(source, method, invocation);
            case STAGE -> stage(source, method, invocation);
            case MONO, FLUX -> publishers.get().published(method, mirror, invocation);
        };
    }

    private static Object value(SnapshotSource source, RecordedMethod method, MethodInvocation invocation) throws Exception {
        Object key = method.arguments().key(invocation.getArguments());
        Reading<Object, Exception> database = () -> proceed(invocation);
        return method.isWrite()
                ? source.write(method.name(), key, method.arguments().written(invocation.getArguments()), method.type(), database)
                : source.load(method.name(), key, method.type(), database);
    }

    private static CompletionStage<Object> stage(SnapshotSource source, RecordedMethod method, MethodInvocation invocation) {
        Object key = method.arguments().key(invocation.getArguments());
        // In the mirror it may be called after this call has returned.
        MethodInvocation later = later(invocation);
        Supplier<CompletionStage<Object>> database = () -> RecordedCalls.<CompletionStage<Object>>unchecked(later);
        return method.isWrite()
                ? source.writeAsync(method.name(), key, method.arguments().written(invocation.getArguments()), method.type(), database)
                : source.loadAsync(method.name(), key, method.type(), database);
    }

    static MethodInvocation later(MethodInvocation invocation) {
        return invocation instanceof ProxyMethodInvocation proxied ? proxied.invocableClone() : invocation;
    }

    private static Object proceed(MethodInvocation invocation) throws Exception {
        try {
            return invocation.proceed();
        } catch (Exception | Error error) {
            throw error;
        } catch (Throwable neither) {
            throw new IllegalStateException(neither);
        }
    }

    /** With whatever exception the method throws. */
    @SuppressWarnings("unchecked")
    static <T> T unchecked(MethodInvocation invocation) {
        try {
            return (T) invocation.proceed();
        } catch (Throwable error) {
            throw RecordedCalls.<RuntimeException>thrown(error);
        }
    }

    @SuppressWarnings("unchecked")
    private static <E extends Throwable> E thrown(Throwable error) throws E {
        throw (E) error;
    }
}
