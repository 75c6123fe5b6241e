package dev.mirror.snapshot.spring.reactive;

import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import dev.mirror.snapshot.spring.WrittenValue;
import dev.mirror.snapshot.spring.recorded.Stock;
import dev.mirror.snapshot.spring.recorded.StockException;
import java.math.BigDecimal;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A class whose annotated methods give publishers. */
public class ReactiveStocks {
    private final Database database;

    public ReactiveStocks(Database database) {
        this.database = database;
    }

    @RecordedRead("stock")
    public Mono<Stock> stock(String name) {
        return Mono.fromSupplier(() -> new Stock(database.read(name), BigDecimal.ONE)).delayElement(Duration.ofMillis(2));
    }

    @RecordedRead("none")
    public Mono<Stock> none() {
        return Mono.defer(() -> {
            database.read("none");
            return Mono.empty();
        });
    }

    @RecordedRead("failing")
    public Mono<Stock> failing(String name) {
        return Mono.defer(() -> Mono.error(new StockException(database.read(name))));
    }

    @RecordedRead("many")
    public Flux<Stock> many(int count) {
        return Flux.range(0, count).map(i -> new Stock(database.read("many"), BigDecimal.valueOf(i)));
    }

    @RecordedRead("future")
    public CompletableFuture<Stock> future() {
        return CompletableFuture.supplyAsync(() -> new Stock(database.read("future"), BigDecimal.ONE));
    }

    @RecordedWrite("reserve")
    public Mono<Void> reserve(String name, @WrittenValue int pieces) {
        return Mono.fromRunnable(() -> database.read(name));
    }

    @RecordedWrite("book")
    public Mono<String> book(String name) {
        return Mono.fromSupplier(() -> database.read("booked " + name));
    }
}
