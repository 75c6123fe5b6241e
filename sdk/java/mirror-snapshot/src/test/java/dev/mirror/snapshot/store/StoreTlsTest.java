package dev.mirror.snapshot.store;

import static dev.mirror.snapshot.store.StoreSteps.check;
import static dev.mirror.snapshot.store.StoreSteps.connected;
import static dev.mirror.snapshot.store.StoreSteps.fails;
import static dev.mirror.snapshot.store.StoreSteps.open;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An encrypted store that wants a certificate of its clients too. */
class StoreTlsTest {
    @TempDir
    static Path dir;

    private static RedisServer server;
    private static int tlsPort;

    @BeforeAll
    static void start() throws IOException, InterruptedException {
        Assumptions.assumeTrue(RedisServer.isInstalled("openssl"), "needs openssl");
        certificate("server", "subjectAltName=IP:127.0.0.1", "rsa:2048");
        certificate("client", "subjectAltName=DNS:client", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1");
        certificate("stranger", "subjectAltName=IP:127.0.0.2", "rsa:2048");
        run("openssl", "rsa", "-in", file("server.key"), "-out", file("old.key"), "-traditional");
        tlsPort = RedisServer.freePort();
        server = RedisServer.start(
                "--tls-port", Integer.toString(tlsPort),
                "--tls-cert-file", file("server.pem"),
                "--tls-key-file", file("server.key"),
                "--tls-ca-cert-file", file("client.pem"),
                "--user", "shop", "on", ">p@ss", "~shop:*", "+@all");
    }

    @AfterAll
    static void stop() {
        if (server != null) {
            server.close();
        }
    }

    private static String url(String query) {
        return "rediss://shop:p%40ss@127.0.0.1:" + tlsPort + "?" + query;
    }

    private static String own(String name) {
        return "&cert=" + file(name + ".pem") + "&key=" + file(name + ".key");
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void both_ends_show_who_they_are(StoreClient client) {
        try (SnapshotStore store = connected(url("ca=" + file("server.pem") + own("client")), client)) {
            check(store, "shop:" + client);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void who_is_not_trusted_is_not_talked_to(StoreClient client) {
        List<String> queries = new ArrayList<>();
        // A server that nobody vouches for, another one's authority, no certificate of ours, one that the server does not know.
        queries.add(own("client").substring(1));
        queries.add("ca=" + file("client.pem") + own("client"));
        queries.add("ca=" + file("server.pem"));
        queries.add("ca=" + file("server.pem") + own("stranger"));
        for (String query : queries) {
            try (SnapshotStore store = open(url(query), client)) {
                String why = fails(store::ping);
                assertFalse(why.contains("p@ss"), why);
            }
        }
        // A certificate that is trusted, of another host.
        String elsewhere = url("ca=" + file("server.pem") + own("client")).replace("127.0.0.1", "localhost");
        try (SnapshotStore store = open(elsewhere, client)) {
            fails(store::ping);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"LETTUCE", "JEDIS"})
    void a_server_without_it_is_told(StoreClient client) {
        try (SnapshotStore store = open("rediss://127.0.0.1:" + server.port(), client)) {
            RedisServer.until("it is told", StoreSteps.RECOVERS_WITHIN, () -> fails(store::ping).contains("TLS"));
        }
    }

    @Test
    void a_key_in_another_form_is_told() {
        String query = "ca=" + file("server.pem") + "&cert=" + file("server.pem") + "&key=" + file("old.key");
        for (StoreClient client : List.of(StoreClient.LETTUCE, StoreClient.JEDIS)) {
            String why = assertThrows(StoreUrlException.class, () -> open(url(query), client)).getMessage();
            assertTrue(why.contains("openssl pkcs8 -topk8"), why);
        }
    }

    private static void certificate(String name, String extension, String... kind) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=" + name));
        command.addAll(List.of("-addext", extension, "-keyout", file(name + ".key"), "-out", file(name + ".pem"), "-newkey"));
        command.addAll(List.of(kind));
        run(command.toArray(String[]::new));
    }

    private static void run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertTrue(process.waitFor(30, TimeUnit.SECONDS));
        assertEquals(0, process.exitValue(), String.join(" ", command));
    }

    private static String file(String name) {
        return dir.resolve(name).toString();
    }
}
