package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.ReactiveSnapshotSource;
import dev.mirror.snapshot.spring.recorded.Stock;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.slf4j.MDC;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.function.server.RouterFunction;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** A service on Netty that reads in every way there is. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@Import(ReactiveShop.Reads.class)
public class ReactiveShop {
    @Bean
    Database database(Environment environment) {
        return new Database(environment);
    }

    @Bean
    ReactiveStocks stocks(Database database) {
        return new ReactiveStocks(database);
    }

    @Bean
    RouterFunction<ServerResponse> functional(ReactiveStocks stocks) {
        return RouterFunctions.route()
                .GET("/functional", request -> ServerResponse.ok().body(stocks.stock("f"), Stock.class))
                .build();
    }

    @RestController
    static class Reads {
        private final ReactiveStocks stocks;
        private final ReactiveSnapshotSource source;
        private final SnapshotSource blocking;
        private final Database database;
        private final Clock clock;

        Reads(ReactiveStocks stocks, ReactiveSnapshotSource source, SnapshotSource blocking, Database database, Clock clock) {
            this.stocks = stocks;
            this.source = source;
            this.blocking = blocking;
            this.database = database;
            this.clock = clock;
        }

        private Mono<String> read(String name) {
            return source.load(name, "", String.class, () -> Mono.fromSupplier(() -> database.read(name)));
        }

        @GetMapping("/annotated")
        Mono<List<String>> annotated() {
            return Flux.concat(stocks.stock("a"), stocks.stock("a"), stocks.stock("b"),
                    stocks.none().defaultIfEmpty(new Stock("nothing", null)), stocks.many(3), stocks.many(0),
                    Mono.fromFuture(stocks::future),
                    stocks.failing("x").onErrorResume(error -> Mono.just(new Stock(error.getClass() + error.getMessage(), null))))
                    .map(Stock::toString).collectList();
        }

        @GetMapping("/source")
        Mono<String> source() {
            return read("first").zipWith(read("second")).flatMap(both -> read("first").map(third -> both + ", " + third))
                    .flatMap(all -> source.loadMany("list", 1, Integer.class, () -> Flux.range(database.touched(), 3))
                            .collectList().map(list -> all + list));
        }

        @PostMapping("/write")
        Mono<String> write() {
            return source.write("order", 1, Map.of("pieces", 3), String.class, () -> Mono.fromSupplier(() -> database.read("written")))
                    .flatMap(given -> stocks.reserve("a", 3).then(stocks.book("b")).map(booked -> given + ", " + booked));
        }

        @GetMapping("/time")
        Mono<String> time() {
            return source.now().zipWith(source.randomId()).map(both -> both.getT1() + " " + clock.instant() + " " + both.getT2());
        }

        @GetMapping("/imperative")
        Mono<String> imperative() {
            return Mono.fromSupplier(() -> blocking.load("imperative", "", String.class, () -> database.read("imperative"))
                    + " " + (MDC.get("mirrorRequestId") != null)).subscribeOn(Schedulers.boundedElastic());
        }

        @GetMapping("/on-the-loop")
        Mono<String> onTheLoop() {
            return Mono.fromSupplier(() -> {
                try {
                    return blocking.load("loop", "", String.class, () -> database.read("loop"));
                } catch (IllegalStateException refused) {
                    return refused.getMessage();
                }
            });
        }

        @GetMapping(path = "/events", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
        Flux<String> events() {
            return Flux.range(0, 3).concatMap(i -> read("event"));
        }

        @GetMapping(path = "/endless", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
        Flux<String> endless() {
            return read("endless").concatWith(Flux.interval(Duration.ofMillis(20)).map(String::valueOf));
        }

        @GetMapping("/fails")
        Mono<String> fails() {
            return stocks.failing("x").map(Stock::name);
        }

        @GetMapping("/told")
        Mono<ResponseEntity<String>> told(@RequestParam(required = false) String own) {
            return read("told").map(text -> own == null ? ResponseEntity.ok(text)
                    : ResponseEntity.ok().header("x-trace", own).body(text));
        }

        @GetMapping("/nothing-read")
        Mono<String> nothingRead() {
            return Mono.just("nothing");
        }
    }
}
