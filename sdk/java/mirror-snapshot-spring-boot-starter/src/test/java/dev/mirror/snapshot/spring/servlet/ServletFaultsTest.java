package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.spring.Answer;
import dev.mirror.snapshot.spring.Recorded;
import dev.mirror.snapshot.spring.Redis;
import dev.mirror.snapshot.spring.Service;
import dev.mirror.snapshot.spring.Waiting;
import jakarta.servlet.ServletRequestEvent;
import jakarta.servlet.ServletRequestListener;
import java.util.Arrays;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.slf4j.MDC;
import org.springframework.boot.web.servlet.ServletListenerRegistrationBean;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;

class ServletFaultsTest {
    private static final String[] PRODUCTION = {"mirror.snapshot.profile=production", "mirror.snapshot.rules[0]=header:x-id"};

    private static Service production(Class<?> application, String... more) {
        String[] all = Arrays.copyOf(PRODUCTION, PRODUCTION.length + more.length);
        System.arraycopy(more, 0, all, PRODUCTION.length, more.length);
        return Service.servlet(application, all);
    }

    private static String id() {
        return UUID.randomUUID().toString();
    }

    /** How many of so many requests were answered before the store had answered theirs. */
    private static long answeredFirst(Service service, int requests) {
        Snapshots snapshots = service.bean(Snapshots.class);
        return IntStream.range(0, requests).filter(i -> {
            assertEquals(200, service.get("/annotated", "x-id", id()).status());
            return snapshots.pendingDocuments() > 0;
        }).count();
    }

    @Test
    void a_store_that_freezes_and_dies_does_not_delay_production() {
        try (Redis redis = Redis.start(); Service service = production(Shop.class, "mirror.snapshot.store=" + redis.url(),
                "mirror.snapshot.queue.documents=20")) {
            Snapshots snapshots = service.bean(Snapshots.class);
            Waiting.until("production reaches its store", () -> Redis.isReached(snapshots));
            answeredFirst(service, 20);
            redis.freeze();
            // A request that waited for the store would find nothing on its way there.
            long first = answeredFirst(service, 120);
            assertTrue(first > 0, "all answers waited for the store");
            assertTrue(snapshots.pendingDocuments() <= 20 && snapshots.pendingBytes() < 100_000);
            redis.thaw();
            redis.close();
            answeredFirst(service, 120);
            Waiting.until("snapshots are given up", () -> Recorded.givenUp(snapshots) > 0);
        }
    }

    @Test
    void a_service_starts_and_answers_without_its_store() {
        try (Service service = production(Shop.class, "mirror.snapshot.store=redis://127.0.0.1:1")) {
            assertEquals(200, service.get("/annotated", "x-id", id()).status());
        }
    }

    /** Sees what a thread brings along from the request before. */
    @Configuration(proxyBeanMethods = false)
    @Import(Shop.class)
    static class Watched {
        static final AtomicInteger LEFT_BEHIND = new AtomicInteger();
        static final AtomicInteger SEEN = new AtomicInteger();

        /** On whose threads Spring MVC runs callables. */
        @Bean
        ThreadPoolTaskExecutor applicationTaskExecutor() {
            ThreadPoolTaskExecutor executor = new ThreadPoolTaskExecutor();
            executor.setCorePoolSize(4);
            return executor;
        }

        @Bean
        ServletListenerRegistrationBean<ServletRequestListener> watch() {
            return new ServletListenerRegistrationBean<>(new ServletRequestListener() {
                @Override
                public void requestInitialized(ServletRequestEvent event) {
                    SEEN.incrementAndGet();
                    if (SnapshotContext.current().isPresent() || MDC.get("mirrorRequestId") != null) {
                        LEFT_BEHIND.incrementAndGet();
                    }
                }
            });
        }
    }

    @Test
    void after_many_requests_no_thread_keeps_one() {
        try (Service service = production(Watched.class, "mirror.snapshot.store=" + Redis.shared().url(), "server.tomcat.threads.max=8")) {
            String[] ways = {"/source/a", "/callable", "/deferred", "/future", "/stream", "/fails", "/error-page", "/nowhere"};
            IntStream.range(0, 1600).parallel().forEach(i -> service.get(ways[i % ways.length], "x-id", id()));
            assertTrue(Watched.SEEN.get() >= 1600, Watched.SEEN.toString());
            assertEquals(0, Watched.LEFT_BEHIND.get());
            // Those on which callables ran.
            Executor callables = service.bean(ThreadPoolTaskExecutor.class);
            long left = IntStream.range(0, 64).mapToObj(i -> CompletableFuture.supplyAsync(
                    () -> SnapshotContext.current().isPresent() || MDC.get("mirrorRequestId") != null, callables))
                    .filter(CompletableFuture::join).count();
            assertEquals(0, left);
            Snapshots snapshots = service.bean(Snapshots.class);
            Waiting.until("all are filed", () -> snapshots.pendingDocuments() == 0 && snapshots.pendingBytes() == 0);
            assertEquals(0, snapshots.counts().of(Outcome.TOO_LATE));
        }
    }

    @Test
    void it_works_on_virtual_threads_where_there_are_any() {
        try (Service production = production(Shop.class, "mirror.snapshot.store=" + Redis.shared().url(), "spring.threads.virtual.enabled=true")) {
            Recorded<Answer> called = Recorded.by(production.bean(Snapshots.class), id -> production.get("/callable", "x-id", id));
            assertTrue(called.given().text().contains("callable of production"), called.toString());
            assertTrue(called.document().contains("\"callable\""), called.document());
            boolean virtual = production.get("/thread").text().startsWith("VirtualThread");
            assertEquals(Runtime.version().feature() >= 21, virtual);
        }
    }

    @Test
    void forwarded_addresses_and_paths_are_not_what_came_over_the_wire() {
        String store = "mirror.snapshot.store=" + Redis.shared().url();
        String client = "mirror.snapshot.rules[1]=none(\"{client}|{path}|{?query:n}\")";
        String[] forwarded = {"x-forwarded-for", "9.9.9.9", "x-forwarded-prefix", "/shop", "x-forwarded-host", "shop.example"};
        try (Service framework = production(Shop.class, store, client, "server.forward-headers-strategy=framework");
                Service byServer = production(Shop.class, store, client, "server.forward-headers-strategy=native")) {
            Recorded<Answer> named = Recorded.by(framework.bean(Snapshots.class),
                    () -> framework.get("/nothing-read?n=" + id(), forwarded), answer -> answer.header(Headers.REQUEST_ID));
            assertTrue(named.id().startsWith("127.0.0.1|/nothing-read|"), named.id());
            String target = "/nothing-read?n=" + named.id().substring("127.0.0.1|/nothing-read|".length());
            assertTrue(named.document().contains("\"peer\":\"127.0.0.1:"), named.document());
            assertTrue(named.document().contains("\"request\":\"" + Hash.request("GET", target) + "\""), named.document());
            // Whose address that is cannot be told.
            assertEquals(null, byServer.get(target, forwarded).header(Headers.REQUEST_ID));
            String without = Recorded.by(byServer.bean(Snapshots.class),
                    id -> byServer.get("/nothing-read", "x-id", id, "x-forwarded-for", "9.9.9.9")).document();
            assertTrue(!without.contains("peer"), without);
        }
    }
}
