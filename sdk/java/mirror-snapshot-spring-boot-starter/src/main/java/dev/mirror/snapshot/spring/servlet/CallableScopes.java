package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.spring.web.RequestScope;
import jakarta.servlet.http.HttpServletRequest;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.springframework.web.context.request.NativeWebRequest;
import org.springframework.web.context.request.async.CallableProcessingInterceptor;

/** Hands a request over to the threads on which Spring MVC runs a {@code Callable} or a {@code StreamingResponseBody}. */
final class CallableScopes implements CallableProcessingInterceptor {
    private final ThreadLocal<RequestScope> entered = new ThreadLocal<>();
    private final String mdcKey;

    CallableScopes(String mdcKey) {
        this.mdcKey = mdcKey;
    }

    @Override
    public <T> void preProcess(NativeWebRequest request, Callable<T> task) {
        RequestSnapshot snapshot = snapshot(request);
        if (snapshot != null) {
            entered.set(RequestScope.enter(snapshot, mdcKey));
        }
    }

    /** Null where there is none, or where the request timed out before this thread came to it. */
    private static @Nullable RequestSnapshot snapshot(NativeWebRequest request) {
        try {
            HttpServletRequest http = request.getNativeRequest(HttpServletRequest.class);
            return http == null ? null : SnapshotFilter.of(http);
        } catch (IllegalStateException over) {
            return null;
        }
    }

    @Override
    public <T> void postProcess(NativeWebRequest request, Callable<T> task, Object result) {
        RequestScope scope = entered.get();
        if (scope != null) {
            entered.remove();
            scope.close();
        }
    }
}
