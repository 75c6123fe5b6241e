package dev.mirror.snapshot.spring.reactive;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.Effects;
import dev.mirror.snapshot.spring.FiledWrites;
import dev.mirror.snapshot.spring.Pair;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.util.UUID;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Hooks;

class ReactiveRoundTripTest {
    private static Pair pair;

    @BeforeAll
    static void start() {
        Redis redis = Redis.shared();
        pair = new Pair(redis, service("production", redis), service("mirror", redis));
    }

    private static Service service(String profile, Redis redis) {
        return Service.reactive(ReactiveShop.class, "spring.profiles.active=" + profile, "mirror.snapshot.store=" + redis.url(),
                "mirror.snapshot.rules[0]=header:x-id", "mirror.snapshot.rules[1]=GET /told => response-header:x-trace",
                "mirror.snapshot.wait.timeout=1s", "spring.reactor.context-propagation=auto");
    }

    @AfterAll
    static void stop() {
        Hooks.disableAutomaticContextPropagation();
        if (pair != null) {
            pair.close();
        }
    }

    private static String id() {
        return UUID.randomUUID().toString();
    }

    private static Answer same(String target) {
        int before = pair.mirror().bean(Database.class).touched();
        Answer answer = pair.same(target);
        assertEquals(before, pair.mirror().bean(Database.class).touched(), "the mirror read its database");
        return answer;
    }

    @Test
    void annotated_publishers_give_in_the_mirror_what_they_gave_in_production() {
        Answer answer = same("/annotated");
        assertEquals("hit", answer.header(Headers.SNAPSHOT));
        assertTrue(answer.text().contains("name=nothing") && answer.text().contains("StockExceptionx of production"), answer.text());
        assertFalse(answer.text().contains("mirror "), answer.text());
        assertTrue(same("/functional").text().contains("f of production"));
    }

    @Test
    void reads_by_hand_come_in_their_order() {
        assertTrue(same("/source").text().contains("first of production"));
    }

    @Test
    void a_read_that_failed_fails_alike() {
        Recorded<Answer> first = pair.recorded((service, id) -> service.request("/fails", "x-id", id));
        Answer second = pair.replayed(first, service -> service.request("/fails"));
        assertEquals("500 500 hit", first.given().status() + " " + second.status() + " " + second.header(Headers.SNAPSHOT));
    }

    @Test
    void writes_are_not_done_in_the_mirror_and_answered_as_in_production() {
        int before = pair.mirror().bean(Database.class).touched();
        Answer answer = pair.same((service, id) -> service.request("/write", "x-id", id).POST(BodyPublishers.noBody()));
        assertTrue(answer.text().contains("booked b of production"), answer.text());
        assertEquals(before, pair.mirror().bean(Database.class).touched());
        assertTrue(pair.redis().get("snapshot:" + answer.header(Headers.REQUEST_ID)).contains("write:reserve"));
    }

    @Test
    void what_a_request_read_and_would_have_written_is_filed_and_told() {
        FiledWrites.areToldAlike(pair, "book");
    }

    @Test
    void what_no_snapshot_answers_is_filed_too() {
        for (String target : new String[] {"/source", "/fails", "/imperative"}) {
            String id = id();
            Effects<Answer> missed = Effects.by(pair, id, send -> pair.mirror().get(target, Effects.headers(id, send)));
            assertEquals("503 missing 1", missed.given().status() + " " + missed.given().header(Headers.SNAPSHOT) + " "
                    + missed.given().header(Headers.EFFECTS), target);
            assertTrue(missed.list().startsWith("{\"read\":"), missed.document());
        }
    }

    @Test
    void the_clock_and_random_ids_are_the_same_on_both_sides() {
        String[] parts = same("/time").text().split(" ");
        assertEquals(parts[0], parts[1]);
    }

    @Test
    void imperative_code_inside_of_operators_works_for_its_request_too() {
        assertTrue(same("/imperative").text().matches("imperative of production \\d+ true"));
    }

    @Test
    void an_event_loop_is_not_blocked_by_a_read_that_would_wait() {
        Answer first = pair.production().get("/on-the-loop", "x-id", id());
        assertTrue(first.text().contains("loop of production"), first.text());
        Answer second = pair.mirror().get("/on-the-loop", Headers.REQUEST_ID, id());
        assertTrue(second.text().contains("ReactiveSnapshotSource"), second.text());
    }

    @Test
    void streamed_answers_are_recorded_to_their_end() {
        assertEquals(3, same("/events").text().lines().filter(line -> line.contains("event of production")).count());
    }

    @Test
    void a_request_whose_client_goes_away_is_filed_as_well() {
        String document = Recorded.by(pair.production().bean(Snapshots.class), id -> {
            try (Socket socket = new Socket("127.0.0.1", pair.production().port())) {
                socket.getOutputStream().write(("GET /endless HTTP/1.1\r\nhost: a\r\nx-id: " + id + "\r\n\r\n")
                        .getBytes(StandardCharsets.US_ASCII));
                return socket.getInputStream().read(new byte[100]);
            }
        }).document();
        assertTrue(document.contains("endless of production"), document);
    }

    @Test
    void answers_carry_the_id() {
        Recorded<Answer> first = pair.recorded((service, id) -> service.request("/nothing-read", "x-id", id));
        assertEquals(first.id(), first.given().header(Headers.REQUEST_ID));
        Answer answer = pair.replayed(first, service -> service.request("/nothing-read"));
        assertEquals(first.id() + " unread", answer.header(Headers.REQUEST_ID) + " " + answer.header(Headers.SNAPSHOT));
    }

    @Test
    void an_id_that_production_tells_is_the_one_in_its_answer() {
        Recorded<Answer> first = pair.told("/told");
        assertEquals(first.id(), first.given().header("x-trace"));
        assertEquals(first.given().text(), pair.replayed(first, service -> service.request("/told").GET()).text());
        Recorded<Answer> own = pair.recorded((service, id) -> service.request("/told?own=" + id));
        assertEquals(own.id(), own.given().header("x-trace"));
        assertTrue(own.document().contains("told of production"), own.document());
    }

    @Test
    void what_no_snapshot_answers_ends_with_status_503_and_says_why() {
        Stream.of("/annotated", "/functional", "/source", "/imperative", "/fails", "/time").parallel().forEach(target -> {
            Answer answer = pair.mirror().get(target, Headers.REQUEST_ID, id());
            assertEquals("503 missing", answer.status() + " " + answer.header(Headers.SNAPSHOT), target + ": " + answer);
            assertTrue(answer.text().startsWith("This mirror does not answer: "), answer.text());
            assertTrue(answer.header("content-type").startsWith("text/plain"), answer.toString());
        });
        Answer write = pair.mirror().send(pair.mirror().request("/write", Headers.REQUEST_ID, id()).POST(BodyPublishers.noBody()));
        assertEquals(503, write.status());
        Answer notReplayed = pair.mirror().get("/source");
        assertEquals(503, notReplayed.status());
        assertTrue(notReplayed.text().contains(Headers.REQUEST_ID), notReplayed.text());
    }

    @Test
    void a_collided_snapshot_is_named() {
        String id = id();
        pair.redis().set("snapshot:" + id, "{\"mirror\":1,\"collided\":true}");
        Answer answer = pair.mirror().get("/source", Headers.REQUEST_ID, id);
        assertEquals("503 collided", answer.status() + " " + answer.header(Headers.SNAPSHOT));
    }

    @Test
    void requests_without_an_id_are_counted() {
        Snapshots snapshots = pair.production().bean(Snapshots.class);
        long before = snapshots.counts().of(Outcome.NO_ID);
        assertEquals(200, pair.production().get("/nothing-read").status());
        assertEquals(404, pair.production().get("/nowhere").status());
        assertEquals(before + 2, snapshots.counts().of(Outcome.NO_ID));
    }
}
