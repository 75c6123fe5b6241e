package dev.mirror.snapshot.spring;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.OnMiss;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.Profile;
import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotMissException;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.ValueCodec;
import dev.mirror.snapshot.store.WaitOptions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;

class ReactiveSnapshotSourceTest {
    private static final int MOST = 10_000;
    private static Snapshots production;
    private static Snapshots mirror;
    private static Snapshots withDatabase;

    @BeforeAll
    static void start() {
        String store = Redis.shared().url();
        WaitOptions briefly = new WaitOptions(Duration.ofMillis(50), Duration.ofMillis(10), 3);
        production = Snapshots.builder(Profile.PRODUCTION).store(store).rules(List.of("header:x-id")).mostBytes(MOST).build();
        // What this one waits for is there.
        WaitOptions patiently = new WaitOptions(Duration.ofSeconds(30), Duration.ofMillis(10), 1000);
        mirror = Snapshots.builder(Profile.MIRROR).store(store).wait(patiently).build();
        withDatabase = Snapshots.builder(Profile.MIRROR).store(store).wait(briefly).onMiss(OnMiss.DATABASE).build();
    }

    @AfterAll
    static void stop() {
        production.close();
        mirror.close();
        withDatabase.close();
    }

    private static ReactiveSnapshotSource source(Snapshots snapshots) {
        return new ReactiveSnapshotSource(snapshots, new ValueCodec(), MOST);
    }

    /** What was filed for a request for which this was subscribed to. */
    private static String filed(Mono<?> work) {
        return Recorded.by(production, id -> {
            RequestSnapshot request = production.begin(Sent.with("x-id", id), null);
            Object given = work.onErrorComplete().contextWrite(context -> context.put(RequestSnapshot.class, request)).block();
            request.finish();
            return Optional.ofNullable(given);
        }).document();
    }

    /** An object that changes. */
    private static final class Changing {
        private int value;
    }

    @Test
    void what_changes_a_moment_later_does_not_leak_in() throws Exception {
        ReactiveSnapshotSource source = source(production);
        String one = filed(source.load("one", "k", Changing.class, () -> Mono.fromSupplier(Changing::new)).doOnNext(given -> given.value = 7));
        assertTrue(one.contains("{\"value\":0}") && !one.contains("7}"), one);
        String many = filed(source.loadMany("many", "k", Changing.class, () -> Flux.range(0, 2).map(i -> new Changing()))
                .doOnNext(given -> given.value = 7).then());
        assertTrue(many.contains("[{\"value\":0},{\"value\":0}]"), many);
        String keyed = filed(Mono.defer(() -> {
            Changing key = new Changing();
            return source.load("keyed", key, String.class, () -> Mono.fromSupplier(() -> {
                key.value = 9;
                return "read";
            }));
        }));
        assertTrue(keyed.contains("\"key\":\"{\\\"value\\\":0}\""), keyed);
    }

    @Test
    void what_is_written_is_what_it_was_before() throws Exception {
        ReactiveSnapshotSource source = source(production);
        for (String written : new String[] {"\"value\":1", "\"value\":[1,1]", "\"error\":\"java.util.concurrent.TimeoutException: slow\""}) {
            String document = filed(Mono.defer(() -> {
                Changing changing = new Changing();
                Mono<Integer> one = Mono.fromSupplier(() -> changing.value = 1);
                return written.contains("[") ? source.writeMany("many", "k", changing, Integer.class, () -> one.repeat(1)).then()
                        : source.write("one", "k", changing, Integer.class, () -> written.contains("error")
                                ? one.then(Mono.error(new TimeoutException("slow"))) : one);
            }));
            assertTrue(document.contains(written + ",\"written\":{\"digest\":\"") && document.contains(",\"value\":{\"value\":0}}}]}"), document);
        }
        String without = filed(source.write("one", "k", Integer.class, () -> Mono.just(1)));
        assertTrue(without.contains("\"value\":1}]}"), without);
    }

    @Test
    void a_mirror_files_what_is_subscribed_to() {
        String id = UUID.randomUUID().toString();
        Effects<List<Integer>> effects = Effects.by(withDatabase, id, send -> {
            RequestSnapshot request = withDatabase.begin(new Sent(Map.of("x-mirror-request-id", id, "x-mirror-send", send)), null);
            Mono<Integer> read = source(withDatabase).load("read", "k", Integer.class, () -> Mono.just(1));
            Mono<List<Integer>> written = source(withDatabase).writeMany("many", "k", List.of(1), Integer.class, () -> Flux.just(1)).collectList();
            List<Integer> given = read.then(read).then(written.onErrorReturn(List.of()))
                    .contextWrite(context -> context.put(RequestSnapshot.class, request)).block();
            request.finish();
            return given;
        });
        String twice = Effects.read("read", "k") + "," + Effects.read("read", "k");
        assertTrue(effects.list().startsWith(twice + ",{\"write\":\"many\",\"key\":\"k\",\"written\":{\"digest\":\""), effects.document());
        assertTrue(effects.list().endsWith(",\"value\":[1]}}"), effects.document());
        assertEquals(List.of(), effects.given());
    }

    @Test
    void calls_are_listed_as_they_were_subscribed_to_whether_they_ended_or_not() {
        ReactiveSnapshotSource source = source(production);
        Sinks.One<Integer> first = Sinks.one();
        String document = filed(Mono.defer(() -> {
            Mono<Integer> slow = source.load("slow", "2", Integer.class, first::asMono);
            Mono<Integer> quick = source.write("quick", "3", List.of(1), Integer.class, () -> Mono.fromSupplier(() -> {
                first.tryEmitValue(7);
                return 8;
            }));
            return Mono.zip(slow, quick);
        }));
        assertTrue(document.matches(".*\"reads\":\\[\\{\"name\":\"slow\".*\"value\":7.*\"name\":\"write:quick\".*\"value\":8.*"), document);
        assertFalse(document.contains("unfinished"), document);
        String cancelled = filed(Mono.deferContextual(context -> {
            Mono<Integer> never = source.write("book", "1", List.of(1), Integer.class, Mono::never);
            never.contextWrite(context).subscribe().dispose();
            return source.load("row", "2", Integer.class, () -> Mono.just(2));
        }));
        assertTrue(cancelled.contains("\"unfinished\":[{\"name\":\"write:book\",\"key\":\"1\",\"at\":0,\"written\":{"), cancelled);
    }

    @Test
    void elements_are_recorded_as_far_as_they_were_read() throws Exception {
        ReactiveSnapshotSource source = source(production);
        String some = filed(source.loadMany("some", "", Integer.class, () -> Flux.range(0, 1000)).take(3).then());
        assertTrue(some.contains("\"value\":[0,1,2]"), some);
        String none = filed(source.loadMany("none", "", Integer.class, Flux::empty).then());
        assertTrue(none.contains("\"value\":[]"), none);
        String failed = filed(source.loadMany("failed", "", Integer.class,
                () -> Flux.just(1, 2).concatWith(Flux.error(new TimeoutException("slow")))).then());
        assertTrue(failed.contains("\"error\":\"java.util.concurrent.TimeoutException: slow\""), failed);
        assertFalse(failed.contains("value"), failed);
    }

    @Test
    void what_is_too_large_is_handed_on_whole_and_not_filed() {
        long before = production.counts().of(Outcome.TOO_LARGE);
        RequestSnapshot request = production.begin(Sent.with("x-id", UUID.randomUUID().toString()), null);
        Long count = source(production).loadMany("large", "", String.class, () -> Flux.range(0, 5000).map(i -> "element " + i)).count()
                .contextWrite(context -> context.put(RequestSnapshot.class, request)).block();
        request.finish();
        assertEquals(5000, count);
        assertEquals(before + 1, production.counts().of(Outcome.TOO_LARGE));
        Waiting.until("nothing is kept", () -> production.pendingBytes() == 0);
    }

    @Test
    void each_subscription_is_a_read_of_its_own() throws Exception {
        AtomicInteger reads = new AtomicInteger();
        Mono<Integer> read = source(production).load("again", "", Integer.class, () -> Mono.fromSupplier(reads::incrementAndGet));
        String document = filed(Mono.defer(() -> {
            reads.set(0);
            return read.then(read);
        }));
        assertTrue(document.contains("\"value\":1}") && document.contains("\"value\":2}"), document);
        String id = UUID.randomUUID().toString();
        Redis.shared().set("snapshot:" + id, document);
        RequestSnapshot served = mirror.begin(Sent.with("x-mirror-request-id", id), null);
        Mono<Integer> serving = source(mirror).load("again", "", Integer.class, () -> Mono.fromSupplier(reads::incrementAndGet));
        List<Integer> both = new ArrayList<>();
        serving.doOnNext(both::add).then(serving.doOnNext(both::add))
                .contextWrite(context -> context.put(RequestSnapshot.class, served)).block();
        assertEquals(List.of(1, 2), both);
        assertEquals(2, reads.get());
    }

    @Test
    void behind_a_wait_work_goes_on_on_a_thread_of_the_same_kind() {
        RequestSnapshot request = withDatabase.begin(Sent.with("x-mirror-request-id", UUID.randomUUID().toString()), null);
        String blocking = source(withDatabase).load("a", "", String.class, () -> Mono.fromSupplier(() -> Thread.currentThread().getName()))
                .map(thread -> thread + " " + Thread.currentThread().getName())
                .contextWrite(context -> context.put(RequestSnapshot.class, request)).block();
        assertTrue(blocking.matches("boundedElastic\\S* boundedElastic\\S*"), blocking);
        RequestSnapshot other = withDatabase.begin(Sent.with("x-mirror-request-id", UUID.randomUUID().toString()), null);
        String parallel = source(withDatabase).load("a", "", String.class, () -> Mono.fromSupplier(() -> Thread.currentThread().getName()))
                .map(thread -> thread + " " + Thread.currentThread().getName()).subscribeOn(Schedulers.parallel())
                .contextWrite(context -> context.put(RequestSnapshot.class, other)).block();
        assertTrue(parallel.matches("parallel\\S* parallel\\S*"), parallel);
    }

    @Test
    void outside_of_a_request_production_reads_and_a_mirror_does_not() {
        assertEquals("read", source(production).load("a", "", String.class, () -> Mono.just("read")).block());
        assertThrows(SnapshotMissException.class, () -> source(mirror).load("a", "", String.class, () -> Mono.just("read")).block());
        assertEquals("read", source(Snapshots.off()).load("a", "", String.class, () -> Mono.just("read")).block());
        assertEquals(List.of(1, 2), source(Snapshots.off()).loadMany("a", "", Integer.class, () -> Flux.just(1, 2)).collectList().block());
        assertTrue(source(production).id().blockOptional().isEmpty());
    }
}
