package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.RequestSnapshot;
import jakarta.servlet.ServletRequestEvent;
import jakarta.servlet.ServletRequestListener;

/** Finishes a request's snapshot when the container is done with it, error pages included. */
final class SnapshotRequestListener implements ServletRequestListener {
    /** Not where a container or a test calls filters only. */
    private volatile boolean heard;

    boolean isHeard() {
        return heard;
    }

    @Override
    public void requestInitialized(ServletRequestEvent event) {
        if (!heard) {
            heard = true;
        }
    }

    @Override
    public void requestDestroyed(ServletRequestEvent event) {
        RequestSnapshot snapshot = SnapshotFilter.of(event.getServletRequest());
        if (snapshot != null && !event.getServletRequest().isAsyncStarted()) {
            SnapshotFilter.finish(snapshot);
        }
    }
}
