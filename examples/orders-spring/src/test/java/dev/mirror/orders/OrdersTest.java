package dev.mirror.orders;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** The HTTP interface over H2, with snapshots switched off. The tests of the whole repository run it with an agent. */
class OrdersTest {
    private static final HttpClient CLIENT = HttpClient.newHttpClient();
    private static ConfigurableApplicationContext service;

    @BeforeAll
    static void start(@TempDir Path folder) {
        service = new SpringApplicationBuilder(OrdersApplication.class)
                .run("--server.tomcat.basedir=" + folder, "--server.port=0", "--server.address=127.0.0.1", "--mirror.snapshot.enabled=false", "--spring.profiles.active=production", "--logging.level.root=warn");
    }

    @AfterAll
    static void stop() {
        service.close();
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return send(HttpRequest.newBuilder(), path);
    }

    private static HttpResponse<String> order(String json) throws Exception {
        return send(HttpRequest.newBuilder().header("content-type", "application/json").POST(BodyPublishers.ofString(json)), "/orders");
    }

    private static HttpResponse<String> send(HttpRequest.Builder request, String path) throws Exception {
        String port = service.getEnvironment().getProperty("local.server.port");
        return CLIENT.send(request.uri(URI.create("http://127.0.0.1:" + port + path)).build(), BodyHandlers.ofString());
    }

    @Test
    void a_product_is_answered_as_seeded() throws Exception {
        assertEquals("{\"id\":9,\"name\":\"product 9\",\"priceCents\":532,\"stock\":10000}", get("/products/9").body());
    }

    @Test
    void a_total_has_its_discount() throws Exception {
        String expected = "{\"userId\":4,\"unitPriceCents\":273,\"quantity\":3,\"discountCents\":16,\"totalCents\":819}";
        assertEquals(expected, get("/cart/4/total?productId=2&qty=3").body());
    }

    @Test
    void an_order_takes_from_the_stock_and_is_counted() throws Exception {
        String json = "{\"userId\":5,\"productId\":8,\"quantity\":2}";
        String first = order(json).body();
        assertTrue(first.matches(
                        "\\{\"orderId\":\"unnamed\",\"receipt\":\"[0-9a-f-]{36}\",\"placedAt\":\\d{13},\"ordersBefore\":0,\"totalCents\":990,\"remaining\":9998}"),
                first);
        String second = order(json).body();
        assertTrue(second.contains("\"ordersBefore\":1,") && second.contains("\"remaining\":9996"), second);
    }

    @Test
    void what_cannot_be_is_refused() throws Exception {
        for (var missing : List.of(get("/products/99"), order("{\"userId\":5,\"productId\":99,\"quantity\":2}"))) {
            assertEquals(404, missing.statusCode());
            assertEquals("{\"error\":\"no such product\"}", missing.body());
        }
        HttpResponse<String> cut = order("{\"userId\":5,");
        assertEquals(400, cut.statusCode());
        assertTrue(cut.body().startsWith("{\"error\":"), cut.body());
    }

    @Test
    void version_2_rounds_the_discount_up() {
        assertEquals(16, new OrdersOptions(1, null, 0).discount(273, 3));
        assertEquals(17, new OrdersOptions(2, null, 0).discount(273, 3));
        assertEquals(0, new OrdersOptions(2, null, 0).discount(273, 1));
    }
}
