package dev.mirror.snapshot.spring.reactive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
import dev.mirror.snapshot.spring.Waiting;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetector.Level;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import java.util.UUID;
import java.util.stream.IntStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class ReactiveBodyTest {
    private static final int MOST = 10 * 1024;
    private static final String FORM = "application/x-www-form-urlencoded";
    private static final ListAppender<ILoggingEvent> LEAKS = new ListAppender<>();
    private static Level before;
    private static Service service;

    @BeforeAll
    static void start() {
        before = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(Level.PARANOID);
        service = Service.reactive(ReactiveBodies.class, "mirror.snapshot.profile=production",
                "mirror.snapshot.store=" + Redis.shared().url(), "mirror.snapshot.max-body=10KB",
                "logging.level.io.netty.util.ResourceLeakDetector=error",
                "mirror.snapshot.rules[0]=* /json/** => none(\"{json:user.id}\")",
                "mirror.snapshot.rules[1]=* /form/** => none(\"{form:user}\")");
        LEAKS.start();
        ((Logger) LoggerFactory.getLogger(ResourceLeakDetector.class)).addAppender(LEAKS);
    }

    @AfterAll
    static void stop() {
        ((Logger) LoggerFactory.getLogger(ResourceLeakDetector.class)).detachAppender(LEAKS);
        ResourceLeakDetector.setLevel(before);
        if (service != null) {
            service.close();
        }
    }

    private static long counted(Outcome outcome) {
        return service.bean(Snapshots.class).counts().of(outcome);
    }

    private static byte[] json(String id, int length) {
        StringBuilder text = new StringBuilder("{\"user\":{\"id\":\"" + id + "\"},\"é\":\"");
        Random random = new Random(length);
        while (text.length() < length) {
            text.append((char) ('a' + random.nextInt(26)));
        }
        return text.append("\"}").toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String id() {
        return UUID.randomUUID().toString();
    }

    private static Answer sent(String target, byte[] body, boolean chunked) {
        return chunked ? service.send(service.request(target).header("content-type", "application/octet-stream")
                .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))))
                : service.post(target, "application/octet-stream", body);
    }

    @Test
    void a_body_that_a_rule_reads_reaches_the_service_byte_for_byte_in_every_way_of_reading() {
        for (String way : new String[] {"/json/bytes", "/json/buffers", "/json/raw"}) {
            for (boolean chunked : new boolean[] {false, true}) {
                String id = id();
                byte[] body = json(id, 3000);
                Answer answer = sent(way, body, chunked);
                assertArrayEquals(body, answer.bytes(), way + " " + answer.status());
                assertEquals(id, answer.header(Headers.REQUEST_ID), way);
            }
        }
        byte[] map = "{\"user\": {\"id\": \"7\"}}".getBytes(StandardCharsets.UTF_8);
        assertEquals("{\"user\":{\"id\":\"7\"}}", service.post("/json/map", "application/json", map).text());
    }

    @Test
    void a_body_above_the_limit_is_handed_on_whole_and_names_nothing() {
        long notRead = counted(Outcome.BODY_NOT_READ);
        int requests = 0;
        for (String way : new String[] {"/json/bytes", "/json/buffers", "/json/raw"}) {
            for (int length : new int[] {MOST, MOST + 1, 200_000}) {
                for (boolean chunked : new boolean[] {false, true}) {
                    byte[] body = json(id(), length);
                    Answer answer = sent(way, body, chunked);
                    assertArrayEquals(body, answer.bytes(), way + " of " + length + " " + answer);
                    assertNull(answer.header(Headers.REQUEST_ID));
                    requests++;
                }
            }
        }
        assertEquals(notRead + requests, counted(Outcome.BODY_NOT_READ));
    }

    @Test
    void a_body_that_the_service_does_not_read_to_its_end_keeps_nobody() {
        for (int i = 0; i < 30; i++) {
            byte[] body = json(id(), i % 2 == 0 ? 300_000 : 1000);
            assertEquals("ignored", sent("/json/ignored", body, true).text());
            assertEquals("some", sent("/json/first", body, true).text());
        }
    }

    @Test
    void a_form_gives_its_fields() {
        String id = id();
        byte[] form = ("user=" + id + "&user=b&x=%C3%A9+1").getBytes(StandardCharsets.UTF_8);
        Answer answer = service.post("/form/data", FORM, form);
        assertEquals("[" + id + ", b] é 1", answer.text());
        assertEquals(id, answer.header(Headers.REQUEST_ID));
        String large = "y".repeat(30_000);
        assertEquals("[ada] " + large, service.send(service.request("/form/data").header("content-type", FORM)
                .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(("user=ada&x=" + large).getBytes(StandardCharsets.UTF_8)))))
                .text());
    }

    @Test
    void parts_are_left_to_the_service() {
        String parts = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\ntext\r\n--b--\r\n";
        assertEquals("[text]", service.post("/form/part", "multipart/form-data; boundary=b", parts.getBytes(StandardCharsets.UTF_8)).text());
    }

    @Test
    void a_rule_reads_a_coded_body_without_its_coding_and_the_service_gets_it_as_it_came() throws IOException {
        String id = id();
        ByteArrayOutputStream coded = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(coded)) {
            out.write(json(id, 2000));
        }
        Answer answer = service.post("/json/raw", "application/json", coded.toByteArray(), "content-encoding", "gzip");
        assertArrayEquals(coded.toByteArray(), answer.bytes());
        assertEquals(id, answer.header(Headers.REQUEST_ID));
    }

    @Test
    void a_body_that_is_no_json_or_empty_is_counted_and_answered() {
        long notJson = counted(Outcome.BODY_NOT_JSON);
        assertEquals("not json", sent("/json/raw", "not json".getBytes(StandardCharsets.UTF_8), false).text());
        assertEquals(200, service.send(service.request("/json/raw").POST(BodyPublishers.noBody())).status());
        assertEquals(notJson + 2, counted(Outcome.BODY_NOT_JSON));
    }

    @Test
    void after_many_requests_and_clients_that_went_away_no_buffer_leaks_and_no_thread_keeps_a_request() throws IOException {
        byte[] small = json("many", 500);
        byte[] large = json("many", 40_000);
        IntStream.range(0, 2000).parallel().forEach(i -> {
            String way = new String[] {"/json/bytes", "/json/raw", "/json/ignored", "/json/first"}[i % 4];
            assertEquals(200, sent(way, i % 10 == 0 ? large : small, i % 3 == 0).status());
        });
        for (int i = 0; i < 50; i++) {
            try (Socket socket = new Socket("127.0.0.1", service.port())) {
                socket.getOutputStream().write(("POST /json/raw HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
                        + (i % 2 == 0 ? "5\r\n12345\r\n" : Integer.toHexString(20_000) + "\r\n" + "x".repeat(15_000)))
                        .getBytes(StandardCharsets.US_ASCII));
                socket.getOutputStream().flush();
            }
        }
        // What leaked is told of when the next buffers are made.
        for (int i = 0; i < 3; i++) {
            System.gc();
            IntStream.range(0, 100).forEach(n -> assertEquals(200, sent("/json/raw", small, false).status()));
        }
        assertTrue(LEAKS.list.isEmpty(), () -> LEAKS.list.toString());
        assertTrue(SnapshotContext.current().isEmpty());
        Snapshots snapshots = service.bean(Snapshots.class);
        Waiting.until("all is filed", () -> snapshots.pendingDocuments() == 0 && snapshots.pendingBytes() == 0);
    }
}
