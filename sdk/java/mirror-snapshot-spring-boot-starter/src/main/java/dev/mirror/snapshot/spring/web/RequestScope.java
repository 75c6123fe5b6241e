package dev.mirror.snapshot.spring.web;

import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;

/** Until it is closed the calling thread works for a request, and its log lines carry the request's id. */
public final class RequestScope implements AutoCloseable {
    private final SnapshotContext.Scope context;
    /** Null where nothing was put. */
    private final @Nullable String mdcKey;
    private final @Nullable String before;

    private RequestScope(SnapshotContext.Scope context, @Nullable String mdcKey, @Nullable String before) {
        this.context = context;
        this.mdcKey = mdcKey;
        this.before = before;
    }

    /**
     * @param mdcKey empty for none
     */
    public static RequestScope enter(RequestSnapshot request, String mdcKey) {
        SnapshotContext.Scope context = SnapshotContext.enter(request);
        String id = mdcKey.isEmpty() ? null : request.id().map(RequestId::text).orElse(null);
        if (id == null) {
            return new RequestScope(context, null, null);
        }
        String before = MDC.get(mdcKey);
        MDC.put(mdcKey, id);
        return new RequestScope(context, mdcKey, before);
    }

    @Override
    public void close() {
        context.close();
        if (mdcKey == null) {
            return;
        }
        if (before == null) {
            MDC.remove(mdcKey);
        } else {
            MDC.put(mdcKey, before);
        }
    }
}
