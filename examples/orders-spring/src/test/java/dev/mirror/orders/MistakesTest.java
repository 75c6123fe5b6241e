package dev.mirror.orders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.mirror.snapshot.Headers;
import dev.mirror.snapshot.store.SnapshotStore;
import dev.mirror.snapshot.store.StoreClient;
import dev.mirror.snapshot.store.StoreOptions;
import dev.mirror.snapshot.store.Stores;
import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** Mistakes that no answer shows are in what the mirror files of a request, with a real store between it and production. */
class MistakesTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String ORDER = "{\"userId\":5,\"productId\":8,\"quantity\":2}";
    private static final int MAX_ATTEMPTS = 20;
    /** The store counts as silent after half a second; then a service gives a document up. */
    private static final int LONGEST_MILLIS = 5_000;

    @TempDir
    private static Path folder;

    private static Process redis;
    private static String url;
    private static SnapshotStore store;
    private static ConfigurableApplicationContext production;

    @BeforeAll
    static void start() throws IOException {
        boolean installed = Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(place -> Files.isExecutable(Path.of(place, "redis-server")));
        Assumptions.assumeTrue(installed, "needs redis-server");
        int port;
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"))) {
            port = socket.getLocalPort();
        }
        redis = new ProcessBuilder("redis-server", "--port", Integer.toString(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder.toString())
                .redirectErrorStream(true).redirectOutput(folder.resolve("redis.log").toFile()).start();
        url = "redis://127.0.0.1:" + port;
        store = Stores.open(StoreOptions.parse(url), StoreClient.AUTO);
        production = service("production");
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (production != null) {
            production.close();
            store.close();
        }
        if (redis != null) {
            redis.destroyForcibly().waitFor();
        }
    }

    private static ConfigurableApplicationContext service(String profile, String... more) {
        List<String> arguments = new ArrayList<>(List.of("--server.tomcat.basedir=" + folder.resolve(profile), "--server.port=0",
                "--server.address=127.0.0.1", "--spring.datasource.url=jdbc:h2:mem:mistakes-" + profile + ";MODE=PostgreSQL;DATABASE_TO_LOWER=TRUE;DB_CLOSE_DELAY=-1",
                "--mirror.snapshot.store=" + url, "--spring.profiles.active=" + profile, "--logging.level.root=error"));
        arguments.addAll(List.of(more));
        return new SpringApplicationBuilder(OrdersApplication.class).run(arguments.toArray(String[]::new));
    }

    private static String order(ConfigurableApplicationContext service, String... headers) throws Exception {
        String port = service.getEnvironment().getProperty("local.server.port");
        HttpRequest request = HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port + "/orders")).headers(headers)
                .header("content-type", "application/json").POST(BodyPublishers.ofString(ORDER)).build();
        return CLIENT.send(request, BodyHandlers.ofString()).body();
    }

    /** What is filed under a key in time, or null. */
    private static JsonNode found(String key) throws Exception {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LONGEST_MILLIS);
        while (System.nanoTime() < end) {
            byte[] found = store.look(List.of(key)).toCompletableFuture().handle((values, error) -> error == null ? values.get(0) : null).join();
            if (found != null) {
                return JSON.readTree(found);
            }
            Thread.sleep(10);
        }
        return null;
    }

    /**
     * One order in both.
     *
     * @param reads what production filed
     * @param effects what the mirror filed
     */
    private record Both(String production, String mirror, JsonNode reads, JsonNode effects) {
        /** What is written, on production's side and the mirror's. */
        List<JsonNode> written() {
            List<JsonNode> both = new ArrayList<>();
            reads.forEach(read -> addWritten(both, read));
            effects.forEach(effect -> addWritten(both, effect));
            assertEquals(2, both.size(), reads + " " + effects);
            return both;
        }

        private static void addWritten(List<JsonNode> to, JsonNode of) {
            if (of.has("written")) {
                to.add(of.get("written"));
            }
        }

        int productsRead() {
            int products = 0;
            for (JsonNode effect : effects) {
                products += effect.path("read").asText().equals("product") ? 1 : 0;
            }
            return products;
        }
    }

    /** In production and then in a mirror with this mistake, and again where the store stood still. */
    private static Both ordered(String... mistake) throws Exception {
        try (ConfigurableApplicationContext mirror = service("mirror", mistake)) {
            for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
                String id = UUID.randomUUID().toString();
                String first = order(production, "x-request-id", id);
                JsonNode snapshot = found("snapshot:" + id);
                if (snapshot == null) {
                    continue;
                }
                String second = order(mirror, Headers.REQUEST_ID, id, Headers.CAPTURED_AT, snapshot.get("at").asText(), Headers.SEND, "run-c");
                JsonNode effects = found("effects/run-c:" + id);
                if (effects != null && second.startsWith("{")) {
                    return new Both(first, second, snapshot.get("reads"), effects.get("effects"));
                }
            }
        }
        throw new AssertionError("the store stood still " + MAX_ATTEMPTS + " times");
    }

    @Test
    void without_a_mistake_the_mirror_would_write_what_production_wrote() throws Exception {
        Both both = ordered();
        assertEquals(both.production, both.mirror);
        assertEquals(both.written().get(0), both.written().get(1));
        assertEquals(990, both.written().get(0).get("value").get("totalCents").intValue());
        assertEquals(0, both.productsRead());
    }

    @Test
    void a_wrong_amount_is_in_what_would_be_written() throws Exception {
        Both both = ordered("--orders.mistake=booked-amount");
        assertEquals(both.production, both.mirror);
        assertNotEquals(both.written().get(0).get("digest"), both.written().get(1).get("digest"));
        assertEquals(991, both.written().get(1).get("value").get("totalCents").intValue());
    }

    @Test
    void a_row_read_for_each_piece_is_in_what_was_read() throws Exception {
        Both both = ordered("--orders.mistake=row-per-piece");
        assertEquals(both.production, both.mirror);
        assertEquals(2, both.productsRead());
    }
}
