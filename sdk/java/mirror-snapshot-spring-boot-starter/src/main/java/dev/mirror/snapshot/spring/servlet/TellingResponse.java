package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.RequestSnapshot;
import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpServletResponseWrapper;
import java.io.IOException;
import java.io.PrintWriter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A response whose head is completed as late as it still can: before each step that may send it. */
final class TellingResponse extends HttpServletResponseWrapper {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotFilter.class);

    private final String kept;
    private final Head head;
    private @Nullable ServletOutputStream stream;
    private @Nullable PrintWriter writer;

    /** What completes a head. */
    @FunctionalInterface
    interface Head {
        /** May be called often, and only while the head is not sent. */
        void complete(HttpServletResponse response);
    }

    /**
     * @param kept a header that stays when all else is reset; empty for none
     */
    TellingResponse(HttpServletResponse response, String kept, Head head) {
        super(response);
        this.kept = kept;
        this.head = head;
    }

    /** How the mirror's look for the snapshot ended, so far, and whether it files the request's effects. */
    static Head state(RequestSnapshot snapshot) {
        return response -> {
            response.setHeader(Headers.SNAPSHOT, snapshot.state().text());
            if (snapshot.filesEffects()) {
                response.setHeader(Headers.EFFECTS, "1");
            }
        };
    }

    /** The id that names a request by its response, unless the service itself tells one there: then that counts. */
    static Head id(RequestSnapshot snapshot, String header) {
        return response -> {
            String told = response.getHeader(header);
            if (told == null) {
                snapshot.id().ifPresent(id -> response.setHeader(header, id.text()));
            } else {
                RequestId.of(told.trim()).ifPresent(snapshot::name);
            }
        };
    }

    /** Has no effect once the head is on its way. */
    void tell() {
        if (!isCommitted()) {
            try {
                head.complete((HttpServletResponse) getResponse());
            } catch (RuntimeException noHeader) {
                LOG.debug("an answer lacks a header", noHeader);
            }
        }
    }

    @Override
    public ServletOutputStream getOutputStream() throws IOException {
        if (stream == null) {
            stream = new TellingStream(super.getOutputStream(), this);
        }
        return stream;
    }

    @Override
    public PrintWriter getWriter() throws IOException {
        if (writer == null) {
            writer = new TellingWriter(super.getWriter(), this);
        }
        return writer;
    }

    @Override
    public void sendError(int status, String message) throws IOException {
        tell();
        super.sendError(status, message);
    }

    @Override
    public void sendError(int status) throws IOException {
        tell();
        super.sendError(status);
    }

    @Override
    public void sendRedirect(String location) throws IOException {
        tell();
        super.sendRedirect(location);
    }

    @Override
    public void flushBuffer() throws IOException {
        tell();
        super.flushBuffer();
    }

    /** Behind it a service may go on with the other kind of body. */
    @Override
    public void reset() {
        String value = kept.isEmpty() ? null : getHeader(kept);
        super.reset();
        if (value != null) {
            setHeader(kept, value);
        }
        stream = null;
        writer = null;
    }
}
