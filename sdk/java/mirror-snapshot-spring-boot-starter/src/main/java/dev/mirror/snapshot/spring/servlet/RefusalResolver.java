package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.spring.web.Refusal;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.springframework.core.Ordered;
import org.springframework.web.servlet.HandlerExceptionResolver;
import org.springframework.web.servlet.ModelAndView;

/** Answers what a mirror cannot answer, before a service's own advice makes something else of it. */
final class RefusalResolver implements HandlerExceptionResolver, Ordered {
    @Override
    public @Nullable int getOrder() {
        return HIGHEST_PRECEDENCE;
    }

    @Override
    public @Nullable ModelAndView resolveException(
            HttpServletRequest request, HttpServletResponse response, Object handler, Exception error) {
        Refusal refusal = Refusal.of(error, SnapshotFilter.of(request)).orElse(null);
        try {
            return refusal != null && RefusalWriter.write(refusal, response) ? new ModelAndView() : null;
        } catch (IOException clientGone) {
            return null;
        }
    }
}
