package dev.mirror.snapshot.spring.servlet;

import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.SnapshotSource;
import dev.mirror.snapshot.spring.Database;
import dev.mirror.snapshot.spring.recorded.Stocks;
import dev.mirror.snapshot.spring.recorded.Prices;
import dev.mirror.snapshot.spring.recorded.PricesFactory;
import dev.mirror.snapshot.spring.recorded.StockException;
import dev.mirror.snapshot.spring.recorded.StockRepository;
import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.slf4j.MDC;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfigurationPackage;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.RequestParam;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.bind.annotation.RestControllerAdvice;
import org.springframework.web.context.request.async.DeferredResult;
import org.springframework.web.servlet.mvc.method.annotation.SseEmitter;
import org.springframework.web.servlet.mvc.method.annotation.StreamingResponseBody;

/** A service on Tomcat that reads in every way there is. */
@Configuration(proxyBeanMethods = false)
@EnableAutoConfiguration
@AutoConfigurationPackage(basePackageClasses = StockRepository.class)
@Import({Shop.Reads.class, Shop.Later.class, Shop.Advice.class})
public class Shop {
    @Bean
    Database database(Environment environment) {
        return new Database(environment);
    }

    @Bean
    Stocks stocks(Database database) {
        return new Stocks(database);
    }

    @Bean
    PricesFactory prices(Database database) {
        return new PricesFactory(database);
    }

    /** Reads while the error page is made. */
    @Bean
    FilterRegistrationBean<Filter> page(SnapshotSource source, Database database) {
        Filter page = (request, response, chain) -> {
            ((HttpServletResponse) response).setHeader("x-page",
                    source.load("page", "", String.class, () -> database.read("page")));
            chain.doFilter(request, response);
        };
        FilterRegistrationBean<Filter> registration = new FilterRegistrationBean<>(page);
        registration.setDispatcherTypes(DispatcherType.ERROR);
        return registration;
    }

    @Bean(destroyMethod = "shutdownNow")
    ExecutorService workers() {
        return Executors.newFixedThreadPool(2);
    }

    /** Would make of every error something else. */
    @RestControllerAdvice
    static class Advice {
        @ExceptionHandler(Exception.class)
        @ResponseStatus(HttpStatus.CONFLICT)
        String anything(Exception error) {
            return "advice: " + error.getClass().getSimpleName() + ": " + error.getMessage();
        }
    }

    @RestController
    static class Reads {
        private final Stocks stocks;
        private final Prices prices;
        private final ObjectProvider<StockRepository> rows;
        private final SnapshotSource source;
        private final Database database;
        private final Clock clock;
        private final ObjectProvider<JdbcTemplate> writes;

        Reads(Stocks stocks, Prices prices, ObjectProvider<StockRepository> rows, SnapshotSource source, Database database,
                Clock clock, ObjectProvider<JdbcTemplate> writes) {
            this.writes = writes;
            this.stocks = stocks;
            this.prices = prices;
            this.rows = rows;
            this.source = source;
            this.database = database;
            this.clock = clock;
        }

        @GetMapping("/annotated")
        List<Object> annotated() throws StockException {
            return List.of(stocks.stock("a"), stocks.stock("a"), stocks.stock("b"), stocks.maybe("a"), stocks.maybe("none"),
                    "" + stocks.nothing(), stocks.count("a", 3), stocks.all(), stocks.byName(Map.of("x", List.of(1))),
                    stocks.generic("c"), stocks.later("d").join());
        }

        @GetMapping("/interface")
        List<Object> byInterface() {
            return List.of(prices.price("a"), prices.price("b"), prices.unrecorded());
        }

        @GetMapping("/rows")
        List<Object> rows() {
            return List.of(rows.getObject().findByName("apple"), "" + rows.getObject().findById(7L).orElse(null),
                    rows.getObject().findById(1L).orElseThrow().name());
        }

        @GetMapping("/fails")
        String fails() throws StockException {
            return stocks.failing("a");
        }

        @GetMapping("/source/{key}")
        String source(@PathVariable String key) {
            return source.load("first", key, String.class, () -> database.read(key)) + ", "
                    + source.load("first", key, String.class, () -> database.read(key)) + ", "
                    + source.load("nothing", 7, String.class, () -> null);
        }

        @PostMapping("/write")
        String write() {
            String given = source.write("order", "1", Map.of("pieces", 3), String.class, () -> database.read("written"));
            stocks.reserve("a", 3);
            return given + ", " + stocks.book("b");
        }

        @GetMapping("/time")
        List<String> time() {
            return List.of(clock.instant().toString(), source.now().toString(), source.randomId().toString());
        }

        @GetMapping("/mdc")
        String mdc() {
            return MDC.get("mirrorRequestId") + " " + source.id().map(RequestId::text).orElse("none");
        }

        @GetMapping("/swallowed")
        String swallowed() {
            try {
                return source.load("swallowed", "", String.class, () -> database.read("it"));
            } catch (RuntimeException error) {
                return "caught";
            }
        }

        @PostMapping("/insert")
        int insert() {
            return writes.getObject().update("insert into \"stock\" (name, pieces) values ('pear', 1)");
        }

        @GetMapping("/late")
        String late() {
            return source.load("late", "", String.class, () -> database.read("late"));
        }

        @GetMapping("/thread")
        String thread() {
            return Thread.currentThread().toString();
        }

        @GetMapping("/nothing-read")
        String nothingRead() {
            return "nothing";
        }

        @GetMapping("/told")
        ResponseEntity<String> told(@RequestParam(required = false) String own) {
            String read = source.load("told", "", String.class, () -> database.read("told"));
            return own == null ? ResponseEntity.ok(read) : ResponseEntity.ok().header("x-trace", own).body(read);
        }

        @RequestMapping("/error-page")
        void errorPage(HttpServletResponse response) throws IOException {
            response.sendError(410, source.load("gone", "", String.class, () -> database.read("gone")));
        }
    }

    /** Reads on other threads than the request's. */
    @RestController
    static class Later {
        private final SnapshotSource source;
        private final Database database;
        private final Executor workers;

        Later(SnapshotSource source, Database database, Executor workers) {
            this.source = source;
            this.database = database;
            this.workers = workers;
        }

        private String read(String name) {
            return source.load(name, "", String.class, () -> database.read(name)) + " " + (MDC.get("mirrorRequestId") != null);
        }

        @GetMapping("/callable")
        Callable<String> callable() {
            String first = read("before");
            return () -> first + ", " + read("callable");
        }

        @GetMapping("/deferred")
        DeferredResult<String> deferred() {
            DeferredResult<String> result = new DeferredResult<>();
            workers.execute(SnapshotContext.wrap(() -> {
                try {
                    result.setResult(source.load("deferred", "", String.class, () -> database.read("deferred")));
                } catch (RuntimeException error) {
                    result.setErrorResult(error);
                }
            }));
            return result;
        }

        @GetMapping("/future")
        CompletableFuture<String> future() {
            return CompletableFuture.supplyAsync(() -> source.load("future", "", String.class, () -> database.read("future")),
                    SnapshotContext.wrap(workers)).thenApply(value -> "future " + value);
        }

        @GetMapping("/stream")
        StreamingResponseBody stream() {
            return out -> {
                for (int i = 0; i < 3; i++) {
                    out.write((read("stream") + "\n").getBytes(StandardCharsets.UTF_8));
                    out.flush();
                }
            };
        }

        @GetMapping(path = "/events", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
        SseEmitter events() {
            SseEmitter emitter = new SseEmitter();
            workers.execute(SnapshotContext.wrap(() -> {
                try {
                    emitter.send(source.load("event", "", String.class, () -> database.read("event")));
                    emitter.send(source.load("event", "", String.class, () -> database.read("event")));
                    emitter.complete();
                } catch (IOException | RuntimeException error) {
                    emitter.completeWithError(error);
                }
            }));
            return emitter;
        }
    }
}
