package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
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
import dev.mirror.snapshot.spring.Waiting;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.springframework.jdbc.core.JdbcTemplate;

class ServletRoundTripTest {
    private static Pair pair;

    @BeforeAll
    static void start() {
        Redis redis = Redis.shared();
        String[] rules = {"mirror.snapshot.store=" + redis.url(), "mirror.snapshot.rules[0]=header:x-id",
            "mirror.snapshot.rules[1]=GET /told => response-header:x-trace", "mirror.snapshot.wait.timeout=1s"};
        Service production = Service.servlet(Shop.class, with(rules, "spring.profiles.active=production",
                "spring.datasource.url=jdbc:h2:mem:production", "spring.sql.init.mode=never"));
        Service mirror = Service.servlet(Shop.class, with(rules, "spring.profiles.active=mirror",
                "spring.datasource.url=jdbc:h2:mem:mirror", "spring.sql.init.mode=never"));
        JdbcTemplate jdbc = production.bean(JdbcTemplate.class);
        jdbc.execute("create table \"stock\" (id bigint auto_increment primary key, name varchar(20), pieces int)");
        jdbc.update("insert into \"stock\" (name, pieces) values ('apple', 3)");
        pair = new Pair(redis, production, mirror);
    }

    private static String[] with(String[] some, String... more) {
        String[] all = Arrays.copyOf(some, some.length + more.length);
        System.arraycopy(more, 0, all, some.length, more.length);
        return all;
    }

    @AfterAll
    static void stop() {
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
        assertEquals("hit", answer.header(Headers.SNAPSHOT));
        return answer;
    }

    private static long counted(Outcome outcome) {
        return pair.mirror().bean(Snapshots.class).counts().of(outcome);
    }

    @Test
    void annotated_methods_of_a_class_give_in_the_mirror_what_they_gave_in_production() {
        String text = same("/annotated").text();
        assertTrue(text.contains("\"price\":1.50"), text);
        assertTrue(text.contains("a of production"), text);
        assertFalse(text.contains("mirror"), text);
    }

    @Test
    void annotated_methods_of_an_interface_are_recorded_through_a_proxy_that_somebody_else_made() {
        assertTrue(same("/interface").text().contains("a of production"));
    }

    @Test
    void a_repository_of_spring_data_is_not_asked_in_the_mirror_which_has_no_table() {
        String text = same("/rows").text();
        assertTrue(text.contains("apple") && text.contains("null"), text);
    }

    @Test
    void a_read_that_failed_fails_alike() {
        Answer answer = same("/fails");
        assertEquals(409, answer.status());
        assertTrue(answer.text().startsWith("advice: StockException: no a of production"), answer.text());
    }

    @Test
    void reads_by_hand_come_in_their_order_and_null_stays_null() {
        String text = same("/source/k").text();
        assertTrue(text.matches("k of production \\d+, k of production \\d+, null"), text);
        assertNotEquals(text.split(", ")[0], text.split(", ")[1]);
    }

    @Test
    void writes_are_not_done_in_the_mirror_and_answered_as_in_production() {
        int before = pair.mirror().bean(Database.class).touched();
        long recorded = counted(Outcome.WRITE_RECORDED);
        Answer answer = pair.same((service, id) -> service.request("/write", "x-id", id).POST(BodyPublishers.noBody()));
        assertTrue(answer.text().contains("booked b of production"), answer.text());
        assertEquals(before, pair.mirror().bean(Database.class).touched());
        // More where the mirror was asked again.
        assertTrue(counted(Outcome.WRITE_RECORDED) >= recorded + 3, "writes that were not counted");
        String document = pair.redis().get("snapshot:" + answer.header(Headers.REQUEST_ID));
        assertTrue(document.contains("\"write:order\"") && document.contains("\"write:reserve\"")
                && document.contains("\"write:Stocks.book\""), document);
    }

    @Test
    void what_a_request_read_and_would_have_written_is_filed_and_told() {
        FiledWrites.areToldAlike(pair, "Stocks.book");
    }

    @Test
    void what_no_snapshot_answers_and_what_the_guard_refuses_is_filed_too() {
        String id = id();
        Effects<Answer> missed = Effects.by(pair, id, send -> pair.mirror().get("/source/k", Effects.headers(id, send)));
        assertEquals("503 missing 1", missed.given().status() + " " + missed.given().header(Headers.SNAPSHOT) + " "
                + missed.given().header(Headers.EFFECTS));
        assertEquals(Effects.read("first", "k"), missed.list());
        Effects<Answer> advised = Effects.by(pair, id, send -> pair.mirror().get("/swallowed", Effects.headers(id, send)));
        assertEquals("200 1", advised.given().status() + " " + advised.given().header(Headers.EFFECTS));
        // Nothing in production files what is written past the source.
        Effects<Answer> refused = Effects.by(pair, id, send -> pair.mirror().send(
                pair.mirror().request("/insert", Effects.headers(id, send)).POST(BodyPublishers.noBody())));
        assertEquals("503 1 ", refused.given().status() + " " + refused.given().header(Headers.EFFECTS) + " " + refused.list());
    }

    @Test
    void reads_on_other_threads_are_filed_too() {
        for (String target : new String[] {"/callable", "/deferred", "/future"}) {
            Recorded<Answer> first = pair.recorded((service, id) -> service.request(target, "x-id", id));
            Effects<Answer> effects = Effects.by(pair, first.id(),
                    send -> pair.replayed(first, service -> service.request(target, Headers.SEND, send)));
            assertEquals("1", effects.given().header(Headers.EFFECTS), target);
            int reads = first.document().split("\"name\":", -1).length;
            assertEquals(reads, effects.document().split("\"read\":", -1).length, first.document() + effects.document());
        }
    }

    @Test
    void the_clock_and_random_ids_are_the_same_on_both_sides() {
        String text = same("/time").text();
        String[] parts = text.replaceAll("[\\[\\]\"]", "").split(",");
        assertEquals(parts[0], parts[1], text);
    }

    @Test
    void answers_and_log_lines_carry_the_id() {
        Recorded<Answer> first = pair.recorded((service, id) -> service.request("/mdc", "x-id", id));
        Answer answer = pair.replayed(first, service -> service.request("/mdc"));
        for (Answer each : new Answer[] {first.given(), answer}) {
            assertEquals(first.id() + " " + first.id(), each.text());
            assertEquals(first.id(), each.header(Headers.REQUEST_ID));
        }
        assertEquals("unread", answer.header(Headers.SNAPSHOT));
        assertNull(pair.production().get("/mdc", "x-id", id()).header(Headers.SNAPSHOT));
    }

    @Test
    void what_is_read_on_other_threads_is_recorded_and_served_too() {
        for (String target : new String[] {"/callable", "/deferred", "/future"}) {
            assertTrue(same(target).text().contains("of production"), target);
        }
        assertTrue(same("/callable").text().matches("before of production \\d+ true, callable of production \\d+ true"));
    }

    @Test
    void streamed_answers_are_recorded_to_their_end() {
        assertEquals(3, same("/stream").text().lines().filter(line -> line.contains("stream of production")).count());
        assertEquals(2, same("/events").text().lines().filter(line -> line.contains("event of production")).count());
    }

    @Test
    void error_pages_belong_to_their_request() {
        Recorded<Answer> filed = pair.recorded((service, id) -> service.request("/error-page", "x-id", id));
        Answer first = filed.given();
        Answer second = pair.replayed(filed, service -> service.request("/error-page"));
        assertEquals("410 410", first.status() + " " + second.status());
        assertTrue(first.header("x-page").startsWith("page of production"), first.toString());
        assertEquals(first.header("x-page"), second.header("x-page"));
        assertEquals(filed.id() + " hit", second.header(Headers.REQUEST_ID) + " " + second.header(Headers.SNAPSHOT));
    }

    @Test
    void an_id_that_production_tells_is_the_one_in_its_answer() {
        Recorded<Answer> first = pair.told("/told");
        assertEquals(List.of(first.id()), first.given().headers().allValues("x-trace"));
        assertEquals(first.given().text(), pair.replayed(first, service -> service.request("/told").GET()).text());
        // Set by the service itself.
        Recorded<Answer> own = pair.recorded((service, id) -> service.request("/told?own=" + id));
        assertEquals(List.of(own.id()), own.given().headers().allValues("x-trace"));
        assertTrue(own.document().contains("told of production"), own.document());
    }

    @Test
    void what_no_snapshot_answers_ends_with_status_503_and_says_why() {
        Stream.of("/annotated", "/interface", "/rows", "/source/k", "/callable", "/deferred", "/future", "/fails").parallel()
                .forEach(target -> {
                    Answer answer = pair.mirror().get(target, Headers.REQUEST_ID, id());
                    assertEquals(503, answer.status(), target + ": " + answer);
                    assertEquals("missing", answer.header(Headers.SNAPSHOT), target);
                    assertTrue(answer.text().startsWith("This mirror does not answer: "), answer.text());
                    assertEquals("text/plain;charset=UTF-8", answer.header("content-type"));
                });
        Answer write = pair.mirror().send(pair.mirror().request("/write", Headers.REQUEST_ID, id()).POST(BodyPublishers.noBody()));
        assertEquals(503, write.status());
    }

    @Test
    void a_write_past_the_source_is_refused_by_the_guard() {
        assertEquals("1", pair.production().send(pair.production().request("/insert").POST(BodyPublishers.noBody())).text());
        Answer answer = pair.mirror().send(pair.mirror().request("/insert", Headers.REQUEST_ID, id()).POST(BodyPublishers.noBody()));
        assertEquals("503 unread", answer.status() + " " + answer.header(Headers.SNAPSHOT));
        assertTrue(answer.text().contains("a mirror does not write") && !answer.text().contains("pear"), answer.text());
    }

    @Test
    void a_service_that_swallows_the_miss_still_tells_it_to_the_agent() {
        Answer answer = pair.mirror().get("/swallowed", Headers.REQUEST_ID, id());
        assertEquals("200 caught missing", answer.status() + " " + answer.text() + " " + answer.header(Headers.SNAPSHOT));
    }

    @Test
    void collided_newer_and_incomplete_snapshots_are_named() {
        record Case(String document, String state) {}
        for (Case each : new Case[] {
            new Case("{\"mirror\":1,\"collided\":true}", "collided"),
            new Case("{\"mirror\":2,\"at\":1,\"request\":\"0\",\"reads\":[]}", "unreadable"),
            new Case("{\"mirror\":1,\"at\":1,\"request\":\"0\",\"reads\":[]}", "incomplete"),
            new Case("{\"mirror\":1,\"at\":1,\"request\":\"0\",\"reads\":[{\"name\":\"first\",\"key\":\"k\",\"value\":{\"no\":1}}]}", "unreadable")}) {
            String id = id();
            pair.redis().set("snapshot:" + id, each.document);
            Answer answer = pair.mirror().get("/source/k", Headers.REQUEST_ID, id);
            assertEquals("503 " + each.state, answer.status() + " " + answer.header(Headers.SNAPSHOT), answer.text());
        }
    }

    @Test
    void a_request_that_nobody_replayed_is_told_so() {
        Answer answer = pair.mirror().get("/source/k", "x-id", id());
        assertEquals(503, answer.status());
        assertTrue(answer.text().contains(Headers.REQUEST_ID), answer.text());
    }

    @Test
    void a_snapshot_that_comes_late_is_waited_for() {
        Answer answer = late();
        for (int i = 0; i < 20 && "missing".equals(answer.header(Headers.SNAPSHOT)); i++) {
            // It came after the mirror's second: the machine stood still.
            answer = late();
        }
        assertEquals("200 late late", answer.status() + " " + answer.text() + " " + answer.header(Headers.SNAPSHOT));
    }

    /** The mirror's answer to a request whose snapshot comes after the mirror's first look. */
    private static Answer late() {
        String id = id();
        int before = pair.redis().looks();
        CompletableFuture<Void> filing = CompletableFuture.runAsync(() -> {
            Waiting.until("the mirror looks", () -> pair.redis().looks() > before);
            pair.redis().set("snapshot:" + id, "{\"mirror\":1,\"at\":1,\"request\":\"0\",\"reads\":["
                    + "{\"name\":\"late\",\"key\":\"\",\"value\":\"late\"}]}");
        });
        Answer answer = pair.mirror().get("/late", Headers.REQUEST_ID, id);
        filing.join();
        return answer;
    }

    @Test
    void requests_without_an_id_are_counted() {
        Snapshots snapshots = pair.production().bean(Snapshots.class);
        long before = snapshots.counts().of(Outcome.NO_ID);
        assertEquals(200, pair.production().get("/nothing-read").status());
        assertEquals(409, pair.production().get("/nowhere").status());
        assertEquals(before + 2, snapshots.counts().of(Outcome.NO_ID));
    }
}
