package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.spring.web.RequestScope;
import jakarta.servlet.http.HttpServletRequest;
import java.util.concurrent.Callable;
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
        HttpServletRequest http = request.getNativeRequest(HttpServletRequest.class);
        RequestSnapshot snapshot = http == null ? null : SnapshotFilter.of(http);
        if (snapshot != null) {
            entered.set(RequestScope.enter(snapshot, mdcKey));
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
