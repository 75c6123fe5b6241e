package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.web.Refusal;
import dev.mirror.snapshot.spring.web.RequestScope;
import dev.mirror.snapshot.spring.web.WebSettings;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives every request its snapshot, on all of its dispatches, and finishes it when it has been answered.
 *
 * <p>In production neither request nor response is wrapped, but for a request whose body a rule reads, and a response whose
 * header names it. What goes wrong here is logged once and leaves the request as if this filter were not there.
 */
public final class SnapshotFilter implements Filter {
    private static final Logger LOG = LoggerFactory.getLogger(SnapshotFilter.class);
    private static final String SNAPSHOT = RequestSnapshot.class.getName();
    private static final String READING = RereadRequest.Reading.class.getName();

    private final Snapshots snapshots;
    private final WebSettings settings;
    private final SnapshotRequestListener listener;
    private final AtomicBoolean complained = new AtomicBoolean();

    /**
     * @param listener tells when the container is done with a request; where it is not registered, the filter finishes
     *     requests itself
     */
    SnapshotFilter(Snapshots snapshots, WebSettings settings, SnapshotRequestListener listener) {
        this.snapshots = snapshots;
        this.settings = settings;
        this.listener = listener;
    }

    /** The snapshot of a request that came through the filter, or null. */
    static @Nullable RequestSnapshot of(ServletRequest request) {
        return request.getAttribute(SNAPSHOT) instanceof RequestSnapshot snapshot ? snapshot : null;
    }

    @Override
    public void doFilter(ServletRequest request, ServletResponse response, FilterChain chain) throws IOException, ServletException {
        if (!(request instanceof HttpServletRequest http) || !(response instanceof HttpServletResponse answer)) {
            chain.doFilter(request, response);
            return;
        }
        RequestSnapshot snapshot = of(http);
        if (snapshot == null) {
            snapshot = begun(http);
        }
        if (snapshot == null) {
            serviced(reread(http), response, chain);
            return;
        }
        tellId(snapshot, answer);
        String toldIn = snapshot.toldIn().orElse(null);
        if (snapshots.profile() == Profile.MIRROR) {
            serve(snapshot, reread(http), telling(answer, TellingResponse.state(snapshot)), chain);
        } else if (toldIn != null) {
            recordTold(snapshot, reread(http), telling(answer, TellingResponse.id(snapshot, toldIn)), chain);
        } else {
            record(snapshot, reread(http), answer, chain);
        }
    }

    private TellingResponse telling(HttpServletResponse response, TellingResponse.Head head) {
        return new TellingResponse(response, settings.responseHeader(), head);
    }

    private void record(RequestSnapshot snapshot, HttpServletRequest request, HttpServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        try (RequestScope scope = RequestScope.enter(snapshot, settings.mdcKey())) {
            serviced(request, response, chain);
        } finally {
            passed(snapshot, request);
        }
    }

    /** Of a request that is named by a header of its response. */
    private void recordTold(RequestSnapshot snapshot, HttpServletRequest request, TellingResponse response, FilterChain chain)
            throws IOException, ServletException {
        try (RequestScope scope = RequestScope.enter(snapshot, settings.mdcKey())) {
            serviced(request, response, chain);
        } finally {
            if (!request.isAsyncStarted()) {
                response.tell();
            }
            passed(snapshot, request);
        }
    }

    private void serve(RequestSnapshot snapshot, HttpServletRequest request, TellingResponse response, FilterChain chain)
            throws IOException, ServletException {
        try (RequestScope scope = RequestScope.enter(snapshot, settings.mdcKey())) {
            serviced(request, response, chain);
        } catch (IOException | ServletException | RuntimeException | Error error) {
            Refusal refusal = Refusal.of(error, snapshot).orElse(null);
            if (refusal == null || !RefusalWriter.write(refusal, response)) {
                throw error;
            }
        } finally {
            response.tell();
            passed(snapshot, request);
        }
    }

    private static void serviced(HttpServletRequest request, ServletResponse response, FilterChain chain)
            throws IOException, ServletException {
        RereadRequest.Reading reading = reading(request);
        if (reading == null) {
            chain.doFilter(request, response);
            return;
        }
        boolean failed = true;
        reading.entered();
        try {
            chain.doFilter(request, response);
            failed = false;
        } finally {
            reading.left(failed);
        }
    }

    /** How far the body was read that a rule needed; null where none did. */
    private static RereadRequest.@Nullable Reading reading(HttpServletRequest request) {
        return request.getAttribute(READING) instanceof RereadRequest.Reading reading ? reading : null;
    }

    /** Null where something went wrong here. */
    private @Nullable RequestSnapshot begun(HttpServletRequest request) {
        try {
            RequestSnapshot snapshot = begin(request);
            request.setAttribute(SNAPSHOT, snapshot);
            return snapshot;
        } catch (IOException | RuntimeException | LinkageError | StackOverflowError error) {
            complain("a request goes on without a snapshot", error);
            return null;
        }
    }

    private RequestSnapshot begin(HttpServletRequest request) throws IOException {
        // What comes over the wire, whatever filters before this one made of it.
        HttpServletRequest wire = innermost(request);
        String target = ServletFields.target(wire);
        byte[] body = snapshots.readsBody(wire.getMethod(), target) ? body(request, wire) : null;
        InetSocketAddress peer = settings.peer() ? PeerAddress.of(wire.getRemoteAddr(), wire.getRemotePort()) : null;
        return snapshots.begin(new ServletFields(wire, target, body, settings.mostBody(), peer), peer);
    }

    private static HttpServletRequest innermost(HttpServletRequest request) {
        ServletRequest wire = request;
        while (wire instanceof ServletRequestWrapper wrapper) {
            wire = wrapper.getRequest();
        }
        return wire instanceof HttpServletRequest http ? http : request;
    }

    /** The whole body as sent, or null where a rule cannot have it. */
    private byte @Nullable [] body(HttpServletRequest request, HttpServletRequest wire) throws IOException {
        if (ReadBody.isEmpty(wire)) {
            return ReadBody.nothing();
        }
        if (!ReadBody.isFor(wire, settings.mostBody())) {
            return null;
        }
        ReadBody body;
        try {
            body = ReadBody.read(request, settings.mostBody());
        } catch (IllegalStateException readAlready) {
            return null;
        }
        request.setAttribute(READING, new RereadRequest.Reading(request, body));
        return body.whole(wire.getContentLengthLong());
    }

    /** A later dispatch may come with the container's request again. */
    private static HttpServletRequest reread(HttpServletRequest request) {
        RereadRequest.Reading reading = reading(request);
        if (reading == null) {
            return request;
        }
        ServletRequest inside = request;
        while (inside instanceof ServletRequestWrapper wrapper) {
            if (inside instanceof RereadRequest) {
                return request;
            }
            inside = wrapper.getRequest();
        }
        return new RereadRequest(request, reading);
    }

    private void tellId(RequestSnapshot snapshot, HttpServletResponse response) {
        try {
            if (!settings.responseHeader().isEmpty() && !response.isCommitted()) {
                snapshot.id().ifPresent(id -> response.setHeader(settings.responseHeader(), id.text()));
            }
        } catch (RuntimeException noHeader) {
            complain("an answer does not tell its id", noHeader);
        }
    }

    /** After each dispatch. Never throws. */
    private void passed(RequestSnapshot snapshot, HttpServletRequest request) {
        try {
            if (request.isAsyncStarted()) {
                request.getAsyncContext().addListener(new FinishWhenComplete(snapshot));
            } else if (!listener.isHeard()) {
                finish(snapshot);
            }
        } catch (RuntimeException error) {
            complain("a request's end was not seen", error);
            finish(snapshot);
        }
    }

    static void finish(RequestSnapshot snapshot) {
        try {
            snapshot.finish();
        } catch (RuntimeException | LinkageError | StackOverflowError error) {
            LOG.debug("a request's snapshot was not filed", error);
        }
    }

    private void complain(String what, Throwable error) {
        if (complained.compareAndSet(false, true)) {
            LOG.warn("{} (not told again): please report this", what, error);
        }
    }
}
