package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.AsyncContext;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A body from its beginning: what was read already, then what was not. */
final class RereadStream extends ServletInputStream {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotFilter.class);

    private final HttpServletRequest request;
    private final ReadBody body;
    private int at;
    private volatile @Nullable ReadListener listener;
    /** Dispatches of the request that are with the service now. This object guards it, and what stands below. */
    private int dispatches;
    /** Whether the listener is to be told of a body that was read as a whole. */
    private boolean pending;

    RereadStream(HttpServletRequest request, ReadBody body) {
        this.request = request;
        this.body = body;
    }

    @Override
    public int read() throws IOException {
        if (!isReread()) {
            return body.bytes()[at++] & 0xff;
        }
        if (body.failure() != null) {
            throw body.failure();
        }
        return body.rest() == null ? -1 : body.rest().read();
    }

    @Override
    public int read(byte[] into, int start, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        int left = body.bytes().length - at;
        if (left > 0) {
            int now = Math.min(left, length);
            System.arraycopy(body.bytes(), at, into, start, now);
            at += now;
            return now;
        }
        if (body.failure() != null) {
            throw body.failure();
        }
        return body.rest() == null ? -1 : body.rest().read(into, start, length);
    }

    @Override
    public int available() throws IOException {
        return body.bytes().length - at + (body.rest() == null ? 0 : body.rest().available());
    }

    @Override
    public boolean isFinished() {
        return isReread() && body.failure() == null && (body.rest() == null || body.rest().isFinished());
    }

    @Override
    public boolean isReady() {
        return !isReread() || body.rest() == null || body.rest().isReady();
    }

    private boolean isReread() {
        return at == body.bytes().length;
    }

    @Override
    public void close() throws IOException {
        at = body.bytes().length;
        if (body.rest() != null) {
            body.rest().close();
        }
    }

    @Override
    public void setReadListener(ReadListener listener) {
        if (listener == null) {
            throw new NullPointerException("no listener");
        }
        if (this.listener != null || !request.isAsyncStarted()) {
            throw new IllegalStateException("a read listener is set once, after startAsync");
        }
        this.listener = listener;
        if (body.rest() != null) {
            body.rest().setReadListener(new ForRest(listener));
            return;
        }
        // All is there already: the container will not call the listener.
        synchronized (this) {
            pending = true;
            if (dispatches > 0) {
                return;
            }
        }
        AsyncContext context = request.getAsyncContext();
        context.start(this::tellPending);
    }

    /** The filter hands the request to the service. */
    synchronized void entered() {
        dispatches++;
    }

    /**
     * The service has returned, on the container's thread. Its listener is called here and now, as Tomcat itself does with a body
     * that is read already. On another thread the call could come after the container has ended the request and uses the same
     * objects for another client's.
     *
     * @param failed whether the service threw: then the container ends the request, and nothing is told
     */
    void left(boolean failed) {
        boolean outermost;
        synchronized (this) {
            dispatches--;
            outermost = dispatches == 0;
        }
        if (outermost && !failed) {
            tellPending();
        }
    }

    /** Never throws: Tomcat answers whichever request it serves by then with status 500. */
    private void tellPending() {
        ReadListener told = listener;
        synchronized (this) {
            if (!pending || told == null) {
                return;
            }
            pending = false;
        }
        try {
            if (body.failure() != null) {
                told.onError(body.failure());
            } else {
                tell(told, false);
            }
        } catch (RuntimeException | Error error) {
            LOG.debug("a read listener failed", error);
        }
    }

    private void tell(ReadListener listener, boolean ended) {
        try {
            if (!isReread()) {
                listener.onDataAvailable();
            }
            if (ended || isFinished()) {
                listener.onAllDataRead();
            }
        } catch (IOException | RuntimeException error) {
            listener.onError(error);
        }
    }

    /** What the container tells of the rest. */
    private final class ForRest implements ReadListener {
        private final ReadListener listener;

        private ForRest(ReadListener listener) {
            this.listener = listener;
        }

        @Override
        public void onDataAvailable() throws IOException {
            listener.onDataAvailable();
        }

        @Override
        public void onAllDataRead() {
            tell(listener, true);
        }

        @Override
        public void onError(Throwable error) {
            listener.onError(error);
        }
    }
}
