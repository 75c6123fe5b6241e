package dev.mirror.snapshot.spring.servlet;

import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.http.HttpServletRequest;
import java.io.IOException;

/** A body from its beginning: what was read already, then what was not. */
final class RereadStream extends ServletInputStream {
    private final HttpServletRequest request;
    private final ReadBody body;
    private int at;
    private ReadListener listener;

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
            body.rest().setReadListener(new ForRest());
        } else {
            // All is there already: nobody else will call.
            request.getAsyncContext().start(() -> tell(false));
        }
    }

    private void tell(boolean ended) {
        try {
            if (!isReread() || body.failure() != null) {
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
        @Override
        public void onDataAvailable() throws IOException {
            listener.onDataAvailable();
        }

        @Override
        public void onAllDataRead() {
            tell(true);
        }

        @Override
        public void onError(Throwable error) {
            listener.onError(error);
        }
    }
}
