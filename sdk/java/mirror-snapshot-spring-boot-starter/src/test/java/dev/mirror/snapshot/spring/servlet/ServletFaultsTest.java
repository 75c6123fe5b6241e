package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.Outcome;
import dev.mirror.snapshot.SnapshotContext;
import dev.mirror.snapshot.Snapshots;
import dev.mirror.snapshot.document.Hash;
import dev.mirror.snapshot.spring.Answer;
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

    /** The median, in milliseconds. */
    private static double latency(Service service, int requests) {
        long[] took = new long[requests];
        for (int i = 0; i < requests; i++) {
            long began = System.nanoTime();
            assertEquals(200, service.get("/annotated", "x-id", id()).status());
            took[i] = System.nanoTime() - began;
        }
        Arrays.sort(took);
        return took[requests / 2] / 1e6;
    }

    @Test
    void a_store_that_freezes_and_dies_does_not_delay_production() {
        try (Redis redis = Redis.start(); Service service = production(Shop.class, "mirror.snapshot.store=" + redis.url(),
                "mirror.snapshot.queue.documents=20")) {
            latency(service, 120);
            double well = latency(service, 120);
            redis.freeze();
            double frozen = latency(service, 120);
            Snapshots snapshots = service.bean(Snapshots.class);
            assertTrue(snapshots.pendingDocuments() <= 20 && snapshots.pendingBytes() < 100_000);
            redis.thaw();
            redis.close();
            double dead = latency(service, 120);
            assertTrue(frozen < well * 5 + 20 && dead < well * 5 + 20, well + " ms, " + frozen + " ms frozen, " + dead + " ms dead");
            assertTrue(snapshots.counts().of(Outcome.DROPPED) + snapshots.counts().of(Outcome.FAILED) > 0);
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
            String id = id();
            Answer answer = production.get("/callable", "x-id", id);
            assertTrue(answer.text().contains("callable of production"), answer.text());
            boolean virtual = production.get("/thread").text().startsWith("VirtualThread");
            assertEquals(Runtime.version().feature() >= 21, virtual);
            String document = Waiting.found("the snapshot", () -> Redis.shared().get("snapshot:" + id));
            assertTrue(document.contains("\"callable\""), document);
        }
    }

    @Test
    void forwarded_addresses_and_paths_are_not_what_came_over_the_wire() {
        String store = "mirror.snapshot.store=" + Redis.shared().url();
        String client = "mirror.snapshot.rules[1]=none(\"{client}|{path}|{?query:n}\")";
        String[] forwarded = {"x-forwarded-for", "9.9.9.9", "x-forwarded-prefix", "/shop", "x-forwarded-host", "shop.example"};
        try (Service framework = production(Shop.class, store, client, "server.forward-headers-strategy=framework");
                Service byServer = production(Shop.class, store, client, "server.forward-headers-strategy=native")) {
            String query = "?n=" + id();
            Answer answer = framework.get("/nothing-read" + query, forwarded);
            String named = "127.0.0.1|/nothing-read|" + query.substring(3);
            assertEquals(named, answer.header(Headers.REQUEST_ID));
            String document = Waiting.found("the snapshot", () -> Redis.shared().get("snapshot:" + named));
            assertTrue(document.contains("\"peer\":\"127.0.0.1:"), document);
            assertTrue(document.contains("\"request\":\"" + Hash.request("GET", "/nothing-read" + query) + "\""), document);
            // Whose address that is cannot be told.
            assertEquals(null, byServer.get("/nothing-read" + query, forwarded).header(Headers.REQUEST_ID));
            String id = id();
            byServer.get("/nothing-read", "x-id", id, "x-forwarded-for", "9.9.9.9");
            String without = Waiting.found("the snapshot", () -> Redis.shared().get("snapshot:" + id));
            assertTrue(!without.contains("peer"), without);
        }
    }
}
