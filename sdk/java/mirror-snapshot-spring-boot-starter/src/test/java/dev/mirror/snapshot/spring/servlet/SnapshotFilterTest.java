package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.OnMiss;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Waiting;
import dev.mirror.snapshot.spring.web.WebSettings;
import dev.mirror.snapshot.store.WaitOptions;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ReadListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.ServletRequestEvent;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.UUID;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.MDC;
import org.springframework.mock.web.DelegatingServletInputStream;
import org.springframework.mock.web.MockHttpServletRequest;
import org.springframework.mock.web.MockHttpServletResponse;
import org.springframework.mock.web.MockServletContext;

/** The filter by itself, where a container does what it may and not what Tomcat does. */
class SnapshotFilterTest {
    private static final WebSettings SETTINGS = new WebSettings("x-mirror-request-id", "id", 1000, true);
    private static Snapshots production;
    private static Snapshots mirror;

    @BeforeAll
    static void start() {
        String store = Redis.shared().url();
        production = Snapshots.builder(Profile.PRODUCTION).store(store)
                .rules(List.of("header:x-id", "POST /body => none(\"{json:id}\")", "GET /told => response-header:x-trace")).build();
        mirror = Snapshots.builder(Profile.MIRROR).store(store).onMiss(OnMiss.ERROR)
                .wait(new WaitOptions(Duration.ofMillis(30), Duration.ofMillis(10), 100)).build();
        Waiting.until("the mirror reaches its store", () -> Redis.isReached(mirror));
    }

    @AfterAll
    static void stop() {
        production.close();
        mirror.close();
    }

    private static MockHttpServletRequest request(String method, String path, String... headers) {
        MockHttpServletRequest request = new MockHttpServletRequest(method, path);
        for (int i = 0; i < headers.length; i += 2) {
            request.addHeader(headers[i], headers[i + 1]);
        }
        return request;
    }

    private static MockHttpServletResponse passed(Snapshots snapshots, MockHttpServletRequest request, FilterChain chain)
            throws ServletException, IOException {
        MockHttpServletResponse response = new MockHttpServletResponse();
        new SnapshotFilter(snapshots, SETTINGS, new SnapshotRequestListener()).doFilter(request, response, chain);
        assertTrue(SnapshotContext.current().isEmpty());
        assertNull(MDC.get("id"));
        return response;
    }

    @Test
    void production_wraps_nothing_but_what_it_must() throws Exception {
        MockHttpServletRequest plain = request("GET", "/", "x-id", UUID.randomUUID().toString());
        passed(production, plain, (request, response) -> {
            assertSame(plain, request);
            assertTrue(response instanceof MockHttpServletResponse);
        });
        passed(production, request("POST", "/body", "x-id", "1"), (request, response) -> assertTrue(request instanceof MockHttpServletRequest));
        MockHttpServletRequest read = request("POST", "/body", "content-length", "10");
        read.setContent("{\"id\":\"x\"}".getBytes(StandardCharsets.UTF_8));
        passed(production, read, (request, response) -> assertTrue(request instanceof RereadRequest));
    }

    @Test
    void a_request_is_filed_without_a_container_that_tells_its_end() throws Exception {
        Recorded<?> answered = Recorded.by(production, id -> passed(production, request("GET", "/", "x-id", id), (request, response) -> {
            assertEquals(id, MDC.get("id"));
            SnapshotContext.current().orElseThrow().load("a", "", String.class, () -> "read");
        }));
        assertTrue(answered.document().contains("\"read\""), answered.document());
        Recorded.by(production, id -> assertThrows(IllegalStateException.class,
                () -> passed(production, request("GET", "/", "x-id", id), (request, response) -> {
                    throw new IllegalStateException("the service's own");
                })));
    }

    @Test
    void a_container_that_tells_too_early_of_an_end_is_not_believed() throws Exception {
        String document = Recorded.by(production, SnapshotFilterTest::ended).document();
        assertTrue(document.contains("read later"), document);
    }

    private static MockHttpServletRequest ended(String id) throws Exception {
        SnapshotRequestListener listener = new SnapshotRequestListener();
        MockHttpServletRequest request = request("GET", "/", "x-id", id);
        request.setAsyncSupported(true);
        ServletRequestEvent event = new ServletRequestEvent(new MockServletContext(), request);
        listener.requestInitialized(event);
        new SnapshotFilter(production, SETTINGS, listener).doFilter(request, new MockHttpServletResponse(),
                (given, response) -> given.startAsync());
        listener.requestDestroyed(event);
        SnapshotFilter.of(request).load("a", "", String.class, () -> "read later");
        request.getAsyncContext().complete();
        return request;
    }

    @Test
    void what_goes_wrong_here_leaves_the_request_as_it_is() throws Exception {
        MockHttpServletRequest broken = new MockHttpServletRequest("GET", "/") {
            @Override
            public String getRemoteAddr() {
                throw new IllegalStateException("a container's fault");
            }
        };
        MockHttpServletResponse response = passed(production, broken, (request, answer) -> {
            assertSame(broken, request);
            answer.getWriter().print("answered");
        });
        assertEquals("answered", response.getContentAsString());
    }

    @Test
    void a_body_that_cannot_be_read_fails_where_the_service_reads_it() throws Exception {
        MockHttpServletRequest broken = new MockHttpServletRequest("POST", "/body") {
            @Override
            public ServletInputStream getInputStream() {
                return new DelegatingServletInputStream(new InputStream() {
                    private int left = 5;

                    @Override
                    public int read() throws IOException {
                        if (left == 0) {
                            throw new IOException("the client went away");
                        }
                        left--;
                        return 'x';
                    }
                });
            }
        };
        broken.addHeader("transfer-encoding", "chunked");
        passed(production, broken, (request, response) -> {
            assertArrayEquals("xxxxx".getBytes(StandardCharsets.US_ASCII), request.getInputStream().readNBytes(5));
            assertEquals("the client went away", assertThrows(IOException.class, () -> request.getInputStream().read()).getMessage());
        });
    }

    @Test
    void a_body_is_read_as_a_stream_or_as_text() throws Exception {
        MockHttpServletRequest body = request("POST", "/body", "content-length", "10");
        body.setContent("{\"id\":\"x\"}".getBytes(StandardCharsets.UTF_8));
        passed(production, body, (request, response) -> {
            assertSame(request.getReader(), request.getReader());
            assertEquals("{\"id\":\"x\"}", request.getReader().readLine());
            assertThrows(IllegalStateException.class, request::getInputStream);
        });
        MockHttpServletRequest again = request("POST", "/body", "content-length", "10");
        again.setContent("{\"id\":\"x\"}".getBytes(StandardCharsets.UTF_8));
        passed(production, again, (request, response) -> {
            request.getInputStream();
            assertThrows(IllegalStateException.class, request::getReader);
            assertThrows(IllegalStateException.class, () -> request.getInputStream().setReadListener(listener()));
        });
    }

    @Test
    void a_form_that_the_service_reads_as_a_stream_stays_one() throws Exception {
        byte[] form = ("user=ada&x=" + "y".repeat(3000)).getBytes(StandardCharsets.US_ASCII);
        for (boolean streamed : new boolean[] {false, true}) {
            MockHttpServletRequest body = new MockHttpServletRequest("POST", "/body") {
                @Override
                public long getContentLengthLong() {
                    return -1;
                }
            };
            body.addHeader("transfer-encoding", "chunked");
            body.setContentType("application/x-www-form-urlencoded");
            body.setContent(form);
            passed(production, body, (request, response) -> {
                if (streamed) {
                    assertEquals('u', request.getInputStream().read());
                    assertNull(request.getParameter("user"));
                    assertEquals(form.length - 1, request.getInputStream().readAllBytes().length);
                } else {
                    assertEquals("ada", request.getParameter("user"));
                }
            });
        }
    }

    private static ReadListener listener() {
        return new ReadListener() {
            @Override
            public void onDataAvailable() {}

            @Override
            public void onAllDataRead() {}

            @Override
            public void onError(Throwable error) {}
        };
    }

    @Test
    void the_mirror_tells_how_its_look_ended_whatever_sends_the_head() throws Exception {
        interface Sending {
            void send(HttpServletRequest request, HttpServletResponse response) throws IOException;
        }
        Sending[] ways = {
            (request, response) -> response.getOutputStream().write(1),
            (request, response) -> response.getOutputStream().write(new byte[9000]),
            (request, response) -> response.getOutputStream().flush(),
            (request, response) -> response.getWriter().println("a"),
            (request, response) -> response.getWriter().write(new char[] {'a'}),
            (request, response) -> response.getWriter().append("abc").flush(),
            (request, response) -> response.sendError(404),
            (request, response) -> response.sendError(404, "nothing"),
            (request, response) -> response.sendRedirect("/elsewhere"),
            (request, response) -> response.flushBuffer(),
            (request, response) -> response.setStatus(204),
            (request, response) -> {
                response.getWriter().print("away");
                response.reset();
                response.getOutputStream().write(1);
            },
            (request, response) -> response.getOutputStream().close()};
        for (int i = 0; i < ways.length; i++) {
            Sending way = ways[i];
            MockHttpServletResponse response = passed(mirror, request("GET", "/", Headers.REQUEST_ID, "no-snapshot"), (request, answer) -> {
                assertThrows(RuntimeException.class, () -> SnapshotContext.current().orElseThrow().load("a", "", String.class, () -> "read"));
                way.send((HttpServletRequest) request, (HttpServletResponse) answer);
            });
            assertEquals("missing", response.getHeader(Headers.SNAPSHOT), "way " + i);
            assertEquals("no-snapshot", response.getHeader("x-mirror-request-id"), "way " + i);
        }
    }

    @Test
    void a_miss_that_passes_the_filter_becomes_status_503_and_other_errors_pass() throws Exception {
        MockHttpServletResponse response = passed(mirror, request("GET", "/", Headers.REQUEST_ID, "no-snapshot"), (request, answer) -> {
            answer.getWriter().print("half an answer");
            try {
                SnapshotContext.current().orElseThrow().load("a", "", String.class, () -> "read");
            } catch (RuntimeException miss) {
                throw new ServletException("wrapped", miss);
            }
        });
        assertEquals("503 missing no-snapshot", response.getStatus() + " " + response.getHeader(Headers.SNAPSHOT) + " "
                + response.getHeader("x-mirror-request-id"));
        assertTrue(response.getContentAsString().startsWith("This mirror does not answer: no snapshot came"), response.getContentAsString());
        assertThrows(IllegalStateException.class, () -> passed(mirror, request("GET", "/"), (request, answer) -> {
            throw new IllegalStateException("the service's own");
        }));
        // What was sent stays sent.
        assertThrows(RuntimeException.class, () -> passed(mirror, request("GET", "/", Headers.REQUEST_ID, "no-snapshot"), (request, answer) -> {
            answer.flushBuffer();
            SnapshotContext.current().orElseThrow().load("a", "", String.class, () -> "read");
        }));
    }

    @Test
    void an_id_in_the_response_is_set_last_and_never_twice() throws Exception {
        MockHttpServletResponse ours = passed(production, request("GET", "/told"), (request, response) -> response.getWriter().print("a"));
        assertEquals(ours.getHeader("x-mirror-request-id"), ours.getHeader("x-trace"));
        Recorded<MockHttpServletResponse> own = Recorded.by(production, id -> passed(production, request("GET", "/told"), (request, response) -> {
            ((HttpServletResponse) response).addHeader("x-trace", id);
            response.getWriter().print("a");
        }));
        assertEquals(List.of(own.id()), own.given().getHeaders("x-trace"));
    }
}
