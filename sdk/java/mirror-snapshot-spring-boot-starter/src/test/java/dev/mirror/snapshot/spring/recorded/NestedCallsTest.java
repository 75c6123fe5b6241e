package dev.mirror.snapshot.spring.recorded;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.mirror.snapshot.RequestSnapshot;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.spring.Effects;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Sent;
import dev.mirror.snapshot.spring.Starter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** Annotated methods that call others: a mirror, which does not call them, never comes to those. */
class NestedCallsTest {
    private static final Pattern CALL = Pattern.compile("\\{\"(?:name|read|write)\":\"(?:write:)?([^\"]*)\"[^}]*}");

    private final ApplicationContextRunner runner = new ApplicationContextRunner().withUserConfiguration(Starter.class, Beans.class)
            .withPropertyValues("mirror.snapshot.store=" + Redis.shared().url(), "mirror.snapshot.rules[0]=header:x-id");

    static class Ledger {
        @RecordedWrite("entry")
        public int entry(String account) {
            return 1;
        }

        @RecordedRead("row")
        public CompletableFuture<Integer> row(String account) {
            return CompletableFuture.completedFuture(2);
        }

        @RecordedWrite("reactive entry")
        public Mono<Integer> reactiveEntry(String account) {
            return Mono.fromSupplier(() -> 3);
        }

        @RecordedRead("rows")
        public Flux<Integer> rows(String account) {
            return Flux.just(4, 5);
        }
    }

    static class Bookings {
        private final Ledger ledger;

        Bookings(Ledger ledger) {
            this.ledger = ledger;
        }

        @RecordedWrite("book")
        public int book(String order) {
            return ledger.entry("a") + ledger.row("b").join() + ledger.entry("c");
        }

        @RecordedRead("order")
        public CompletableFuture<Integer> order(String order) {
            return ledger.row(order);
        }

        @RecordedWrite("reactive book")
        public Mono<Integer> reactiveBook(String order) {
            int first = ledger.entry(order);
            return ledger.reactiveEntry("a").publishOn(Schedulers.parallel())
                    .flatMap(entry -> ledger.rows("b").reduce(entry + first, Integer::sum));
        }

        @RecordedRead("reactive order")
        public Flux<Integer> reactiveOrder(String order) {
            return ledger.rows(order).concatWith(ledger.reactiveEntry("d"));
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class Beans {
        @Bean
        Ledger ledger() {
            return new Ledger();
        }

        @Bean
        Bookings bookings(Ledger ledger) {
            return new Bookings(ledger);
        }
    }

    /** All of them, one after another, for the current request. */
    private static List<Object> all(ApplicationContext context) {
        Bookings bookings = context.getBean(Bookings.class);
        RequestSnapshot request = SnapshotContext.currentOrNull();
        List<Object> given = new ArrayList<>();
        given.add(bookings.book("1"));
        given.add(bookings.order("2").join());
        given.add(bookings.reactiveBook("3").contextWrite(to -> to.put(RequestSnapshot.class, request)).block());
        given.add(bookings.reactiveOrder("4").contextWrite(to -> to.put(RequestSnapshot.class, request)).collectList().block());
        given.add(context.getBean(Ledger.class).entry("last"));
        return given;
    }

    /** The names of calls in a document, those that are done inside of others in brackets. */
    private static List<String> names(String document) {
        List<String> names = new ArrayList<>();
        Matcher call = CALL.matcher(document);
        while (call.find()) {
            names.add(call.group().contains("\"inside\":true") ? "(" + call.group(1) + ")" : call.group(1));
        }
        return names;
    }

    @Test
    void what_an_annotated_method_calls_is_a_part_of_its_call() {
        List<Object> expected = List.of(4, 2, 13, List.of(4, 5, 3), 1);
        List<String> calls = List.of("book", "order", "reactive book", "reactive order", "entry");
        runner.withPropertyValues("mirror.snapshot.profile=production").run(production -> {
            Snapshots snapshots = production.getBean(Snapshots.class);
            Recorded<Object> recorded = Recorded.by(snapshots, id -> Sent.with("x-id", id).to(snapshots, (Callable<Object>) () -> all(production)));
            assertEquals(expected, recorded.given());
            List<String> names = names(recorded.document());
            assertEquals(calls, names.stream().filter(name -> !name.startsWith("(")).toList(), recorded.document());
            assertEquals(9, names.size() - calls.size(), recorded.document());
            runner.withPropertyValues("mirror.snapshot.profile=mirror").run(mirror -> {
                Snapshots served = mirror.getBean(Snapshots.class);
                Effects<Object> effects = Effects.by(served, recorded.id(), send -> {
                    try {
                        return new Sent(Map.of("x-mirror-request-id", recorded.id(), "x-mirror-send", send)).to(served, () -> all(mirror));
                    } catch (Exception error) {
                        throw new AssertionError(error);
                    }
                });
                assertEquals(expected, effects.given());
                assertEquals(calls, names(effects.document()), effects.document());
            });
        });
    }
}
