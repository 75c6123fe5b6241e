package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.ServerFaults;
import dev.mirror.snapshot.spring.Service;
import dev.mirror.snapshot.spring.Waiting;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Random;
import java.util.UUID;
import java.util.zip.DeflaterOutputStream;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

class ServletBodyTest {
    private static final int MOST = 10 * 1024;
    private static final String FORM = "application/x-www-form-urlencoded";
    private static Service service;

    @BeforeAll
    static void start() {
        service = Service.servlet(Bodies.class, "mirror.snapshot.profile=production",
                "mirror.snapshot.store=" + Redis.shared().url(), "mirror.snapshot.max-body=10KB",
                "mirror.snapshot.rules[0]=* /json/** => none(\"{json:user.id}\")",
                "mirror.snapshot.rules[1]=* /form/** => none(\"{form:user}\")");
    }

    @AfterAll
    static void stop() {
        if (service != null) {
            service.close();
        }
    }

    private static long counted(Outcome outcome) {
        return service.bean(Snapshots.class).counts().of(outcome);
    }

    private static byte[] json(String id, int length) {
        String begin = "{\"user\":{\"id\":\"" + id + "\"},\"é\":\"";
        StringBuilder text = new StringBuilder(begin);
        Random random = new Random(length);
        while (text.length() < length) {
            text.append((char) ('a' + random.nextInt(26)));
        }
        return text.append("\"}").toString().getBytes(StandardCharsets.UTF_8);
    }

    private static String id() {
        return UUID.randomUUID().toString();
    }

    private static Answer chunked(String target, byte[] body, String... headers) {
        return service.send(service.request(target, headers).header("content-type", "application/json")
                .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(body))));
    }

    @Test
    void a_body_that_a_rule_reads_reaches_the_service_byte_for_byte_in_every_way_of_reading() {
        for (String way : new String[] {"/json/bytes", "/json/raw/stream", "/json/raw/single", "/json/raw/reader", "/json/raw/listener"}) {
            for (boolean chunked : new boolean[] {false, true}) {
                String id = id();
                byte[] body = json(id, 3000);
                Answer answer = chunked ? chunked(way, body, "accept", "*/*")
                        : service.post(way, "application/json;charset=utf-8", body);
                if (!way.endsWith("reader") || !chunked) {
                    assertArrayEquals(body, answer.bytes(), way + " " + answer);
                }
                assertEquals(id, answer.header(Headers.REQUEST_ID), way);
            }
        }
        assertEquals("{\"user\":{\"id\":\"7\"}}",
                service.post("/json/map", "application/json", "{\"user\": {\"id\": \"7\"}}".getBytes(StandardCharsets.UTF_8)).text());
    }

    @Test
    void a_body_above_the_limit_is_handed_on_whole_and_names_nothing() {
        long before = counted(Outcome.BODY_NOT_READ);
        int requests = 0;
        for (String way : new String[] {"/json/bytes", "/json/raw/stream", "/json/raw/single", "/json/raw/listener"}) {
            for (int length : new int[] {MOST, MOST + 1, 100_000}) {
                for (boolean chunked : new boolean[] {false, true}) {
                    byte[] body = json(id(), length);
                    Answer answer = chunked ? chunked(way, body) : service.post(way, "application/json", body);
                    assertArrayEquals(body, answer.bytes(), way + " of " + length + " " + answer.status());
                    assertNull(answer.header(Headers.REQUEST_ID));
                    requests++;
                }
            }
        }
        assertEquals(before + requests, counted(Outcome.BODY_NOT_READ));
        assertEquals("ignored", chunked("/json/raw/ignored", json(id(), 100_000)).text());
    }

    @Test
    void a_stream_that_was_read_before_says_when_it_ends() {
        assertEquals("true 0 -1", service.post("/json/raw/stream", "application/json", json(id(), 100)).header("x-finished"));
        assertEquals("true 0 -1", chunked("/json/raw/stream", json(id(), 20_000)).header("x-finished"));
    }

    @Test
    void a_form_gives_its_parameters_behind_those_of_the_query() {
        String id = id();
        byte[] form = ("user=" + id + "&user=b&x=%C3%A9+1&e&%zz=1").getBytes(StandardCharsets.UTF_8);
        Answer answer = service.post("/form/raw/parameters?user=q&y=2", FORM, form);
        assertEquals("{e=, user=q|" + id + "|b, x=é 1, y=2} q null", answer.text());
        assertEquals(id, answer.header(Headers.REQUEST_ID));
    }

    @Test
    void a_form_gives_what_the_container_itself_would_give() {
        try (Service plain = Service.servlet(Bodies.class, "mirror.snapshot.enabled=false")) {
            for (String form : new String[] {"user=a", "", "user", "user=", "=", "&&", "a=b=c&user=x", "user=%E2%82%AC+%2B", "user=é",
                "user=%zz&b=1", "=x&user=1", "user=1&user=2&user=%20", "a=1;user=2", "%75ser=enc"}) {
                for (String type : new String[] {FORM, FORM + ";charset=UTF-8", FORM + "; charset=iso-8859-1", "APPLICATION/x-www-form-urlencoded",
                    "application/json"}) {
                    byte[] body = form.getBytes(StandardCharsets.UTF_8);
                    Answer expected = plain.post("/form/raw/parameters?user=q&z=1", type, body);
                    Answer answer = service.post("/form/raw/parameters?user=q&z=1", type, body);
                    assertEquals(200, answer.status(), () -> form + " as " + type + ": " + answer + ServerFaults.taken());
                    // Newer containers refuse a malformed one; here such a parameter is passed over as older ones do.
                    if (expected.status() == 200) {
                        assertEquals(expected.text(), answer.text(), form + " as " + type);
                    }
                }
            }
        }
    }

    @Test
    void a_form_that_is_put_or_longer_than_the_limit_or_in_another_charset_gives_them_too() {
        byte[] form = "user=ada".getBytes(StandardCharsets.UTF_8);
        assertEquals("ada", service.send(service.request("/form/put").header("content-type", FORM)
                .PUT(BodyPublishers.ofByteArray(form))).text());
        byte[] large = ("user=ada&x=" + "y".repeat(50_000)).getBytes(StandardCharsets.UTF_8);
        assertEquals("ada", service.post("/form/param", FORM, large).text());
        Answer streamed = service.send(service.request("/form/param").header("content-type", FORM)
                .POST(BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(large))));
        assertEquals("ada", streamed.text());
    }

    @Test
    void parts_are_left_to_the_service() {
        long before = counted(Outcome.BODY_NOT_READ);
        String parts = "--b\r\ncontent-disposition: form-data; name=\"user\"\r\n\r\nada\r\n"
                + "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\ntext\r\n--b--\r\n";
        Answer answer = service.post("/form/part", "multipart/form-data; boundary=b", parts.getBytes(StandardCharsets.UTF_8));
        assertEquals("ada text", answer.text());
        // Such a body is no form to a rule, whether it was read or not.
        assertTrue(counted(Outcome.BODY_NOT_READ) + counted(Outcome.NO_ID) > before);
    }

    @Test
    void a_rule_reads_a_coded_body_without_its_coding_and_the_service_gets_it_as_it_came() throws IOException {
        for (String coding : new String[] {"gzip", "x-gzip", "deflate", "identity", "GZIP", "gzip, gzip", "deflate, gzip"}) {
            Recorded<byte[]> filed = Recorded.by(service.bean(Snapshots.class), id -> {
                byte[] plain = json(id, 2000);
                byte[] coded = plain;
                for (String step : coding.toLowerCase(Locale.ROOT).split(", ")) {
                    coded = coded(step, coded);
                }
                Answer answer = service.post("/json/raw/stream", "application/json", coded, "content-encoding", coding);
                assertArrayEquals(coded, answer.bytes(), coding);
                assertEquals(id, answer.header(Headers.REQUEST_ID), coding);
                return plain;
            });
            assertTrue(filed.document().contains("\"body\":\"" + Hash.of(filed.given()) + "\""), filed.document());
        }
        // Too large behind the coding, unknown, and not what it is said to be.
        long before = counted(Outcome.BODY_NOT_READ);
        assertNull(service.post("/json/raw/stream", "application/json", coded("gzip", new byte[1_000_000]), "content-encoding", "gzip")
                .header(Headers.REQUEST_ID));
        assertNull(service.post("/json/raw/stream", "application/json", json(id(), 100), "content-encoding", "br")
                .header(Headers.REQUEST_ID));
        assertNull(service.post("/json/raw/stream", "application/json", json(id(), 100), "content-encoding", "gzip")
                .header(Headers.REQUEST_ID));
        assertEquals(before + 3, counted(Outcome.BODY_NOT_READ));
    }

    private static byte[] coded(String coding, byte[] body) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (OutputStream out = switch (coding) {
            case "gzip", "x-gzip" -> new GZIPOutputStream(bytes);
            case "deflate" -> new DeflaterOutputStream(bytes);
            default -> bytes;
        }) {
            out.write(body);
        }
        return bytes.toByteArray();
    }

    @Test
    void a_body_that_is_no_json_or_empty_is_counted_and_answered() {
        long before = counted(Outcome.BODY_NOT_JSON);
        assertEquals("not json", service.post("/json/bytes", "application/json", "not json".getBytes(StandardCharsets.UTF_8)).text());
        assertEquals(200, service.send(service.request("/json/raw/stream").POST(BodyPublishers.noBody())).status());
        assertEquals(200, service.get("/json/raw/stream").status());
        assertEquals(before + 3, counted(Outcome.BODY_NOT_JSON));
    }

    @Test
    void a_read_listener_is_called_after_the_service_has_returned_as_by_the_container_itself() {
        assertTrue(service.post("/json/raw/patient", "application/json", json(id(), 100)).text().startsWith("after on http-nio"));
        assertTrue(chunked("/json/raw/patient", json(id(), 100)).text().startsWith("after on http-nio"));
    }

    @Test
    void a_client_that_goes_away_in_the_middle_harms_nobody() throws IOException {
        ServerFaults.taken();
        int before = Bodies.GIVEN_UP.get();
        for (int i = 0; i < 20; i++) {
            try (Socket socket = new Socket("127.0.0.1", service.port())) {
                socket.getOutputStream().write(("POST /json/raw/" + (i % 2 == 0 ? "stream" : "listener")
                        + " HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"user\"")
                        .getBytes(StandardCharsets.US_ASCII));
                socket.getOutputStream().flush();
            }
        }
        for (int i = 0; i < 100; i++) {
            String id = id();
            Answer answer = service.post("/json/bytes", "application/json", json(id, 100));
            assertEquals(id, answer.header(Headers.REQUEST_ID), () -> answer + ServerFaults.taken());
        }
        Waiting.until("each listener has ended its request", () -> Bodies.GIVEN_UP.get() == before + 10);
        assertEquals("", ServerFaults.taken());
    }

    @Test
    void a_body_that_trickles_in_is_read_to_its_end() throws IOException {
        String id = id();
        byte[] body = json(id, 200);
        try (Socket socket = new Socket("127.0.0.1", service.port())) {
            OutputStream out = socket.getOutputStream();
            out.write("POST /json/raw/stream HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
                    .getBytes(StandardCharsets.US_ASCII));
            for (int at = 0; at < body.length; at += 50) {
                int length = Math.min(50, body.length - at);
                out.write((Integer.toHexString(length) + "\r\n").getBytes(StandardCharsets.US_ASCII));
                out.write(body, at, length);
                out.write("\r\n".getBytes(StandardCharsets.US_ASCII));
                out.flush();
                Waiting.sleep(20);
            }
            out.write("0\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
            out.flush();
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            assertTrue(answer.startsWith("HTTP/1.1 200") && answer.contains(Headers.REQUEST_ID + ": " + id), answer);
            assertTrue(answer.contains(new String(body, StandardCharsets.UTF_8)), answer);
        }
    }
}
