package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.spring.web.RequestScope;
import io.micrometer.context.ThreadLocalAccessor;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/**
 * Carries a request between the context of Reactor and threads, with its id in the logging context. Operators run so where
 * {@code spring.reactor.context-propagation} is {@code auto}.
 */
final class SnapshotAccessor implements ThreadLocalAccessor<RequestSnapshot> {
    private final String mdcKey;

    /**
     * @param mdcKey empty for none
     */
    SnapshotAccessor(String mdcKey) {
        this.mdcKey = mdcKey;
    }

    @Override
    public Object key() {
        return RequestSnapshot.class;
    }

    @Override
    public @Nullable RequestSnapshot getValue() {
        return SnapshotContext.currentOrNull();
    }

    /** Whoever calls this ends it with {@link #setValue()} or {@link #restore}, so the scope is not kept. */
    @Override
    public void setValue(RequestSnapshot request) {
        // The id of the request before must not stay where this one has none.
        setValue();
        RequestScope.enter(request, mdcKey);
    }

    @Override
    public void setValue() {
        SnapshotContext.enter(null);
        if (!mdcKey.isEmpty()) {
            MDC.remove(mdcKey);
        }
    }
}
