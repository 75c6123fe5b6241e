package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.RequestSnapshot;
import jakarta.servlet.AsyncEvent;
import jakarta.servlet.AsyncListener;

/** Finishes the snapshot of a request that is answered asynchronously. */
final class FinishWhenComplete implements AsyncListener {
    private final RequestSnapshot snapshot;

    FinishWhenComplete(RequestSnapshot snapshot) {
        this.snapshot = snapshot;
    }

    @Override
    public void onComplete(AsyncEvent event) {
        SnapshotFilter.finish(snapshot);
    }

    /** Completion follows. */
    @Override
    public void onTimeout(AsyncEvent event) {}

    /** Completion follows. */
    @Override
    public void onError(AsyncEvent event) {}

    /** The next dispatch passes the filter, which listens again. */
    @Override
    public void onStartAsync(AsyncEvent event) {}
}
