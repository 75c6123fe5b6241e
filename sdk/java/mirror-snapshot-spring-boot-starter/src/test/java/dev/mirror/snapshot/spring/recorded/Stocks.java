package dev.mirror.snapshot.spring.recorded;

import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.RecordedRead;
import dev.mirror.snapshot.spring.RecordedWrite;
import dev.mirror.snapshot.spring.WrittenValue;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** A class with annotated methods of all kinds. */
public class Stocks implements Generic<Stock> {
    private final Database database;

    public Stocks(Database database) {
        this.database = database;
    }

    /** An annotation of the service's own. */
    @RecordedRead("meta")
    @Retention(RetentionPolicy.RUNTIME)
    public @interface Cached {}

    @RecordedRead("stock")
    public Stock stock(String name) {
        return new Stock(database.read(name), new BigDecimal("1.50"));
    }

    @RecordedRead
    public Optional<Stock> maybe(String name) {
        return name.equals("none") ? Optional.empty() : Optional.of(new Stock(database.read(name), BigDecimal.TEN));
    }

    @RecordedRead(name = "nothing")
    public Stock nothing() {
        database.read("nothing");
        return null;
    }

    @RecordedRead
    public int count(String name, int times) {
        return database.read(name).length() * 1000 + times;
    }

    @Cached
    public List<Stock> all() {
        return List.of(new Stock(database.read("first"), BigDecimal.ONE), new Stock(database.read("second"), BigDecimal.ZERO));
    }

    @RecordedRead
    public Map<String, List<Stock>> byName(Map<String, List<Integer>> wanted) {
        return Map.of("x", List.of(new Stock(database.read("x"), BigDecimal.ONE)));
    }

    @Override
    public Stock generic(String name) {
        return new Stock(database.read(name), BigDecimal.ONE);
    }

    @RecordedRead("failing")
    public String failing(String name) throws StockException {
        throw new StockException("no " + database.read(name));
    }

    @RecordedRead("later")
    public CompletableFuture<Stock> later(String name) {
        return CompletableFuture.supplyAsync(() -> new Stock(database.read(name), BigDecimal.ONE));
    }

    @RecordedWrite("reserve")
    public void reserve(String name, @WrittenValue int pieces) {
        database.read(name);
    }

    @RecordedWrite
    public String book(String name) {
        return database.read("booked " + name);
    }
}
