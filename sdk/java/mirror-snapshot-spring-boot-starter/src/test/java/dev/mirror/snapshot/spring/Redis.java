package dev.mirror.snapshot.spring;

import dev.mirror.snapshot.Snapshots;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/** A Redis server on a free port of the loopback address, with nothing on disk, that ends with the tests at the latest. */
public final class Redis implements AutoCloseable {
    private static final String HOST = "127.0.0.1";
    private static final int MAX_PORTS = 5;
    private static final int MAX_ANSWER_MILLIS = 30_000;
    private static Redis shared;

    private final int port;
    private final TemporaryFolder folder;
    private Process process;

    private Redis(int port, TemporaryFolder folder) {
        this.port = port;
        this.folder = folder;
    }

    /** One for all tests that do it no harm; each keeps to ids of its own. */
    public static synchronized Redis shared() {
        if (shared == null) {
            shared = start();
        }
        return shared;
    }

    /** Skips the test where there is no server to start. */
    public static Redis start() {
        boolean installed = List.of(System.getenv("PATH").split(":")).stream()
                .anyMatch(place -> Files.isExecutable(Path.of(place, "redis-server")));
        Assumptions.assumeTrue(installed, "needs redis-server");
        try {
            for (int attempt = 1; ; attempt++) {
                Redis redis = new Redis(freePort(), TemporaryFolder.of("mirror-redis"));
                if (redis.runs()) {
                    return redis;
                }
                String log = Files.readString(redis.log());
                redis.close();
                // Somebody may have taken the port meanwhile.
                Assertions.assertTrue(attempt < MAX_PORTS, log);
            }
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    /** One that runs already. */
    static Redis at(String url) {
        return new Redis(URI.create(url).getPort(), null);
    }

    /** A port of the loopback address on which nothing listens. */
    public static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(HOST))) {
            return socket.getLocalPort();
        }
    }

    /** Whether it listens; it has ended otherwise. */
    private boolean runs() throws IOException {
        process = new ProcessBuilder("redis-server", "--port", Integer.toString(port), "--bind", HOST, "--save", "", "--appendonly",
                "no", "--dir", folder.path().toString())
                .redirectErrorStream(true).redirectOutput(log().toFile()).start();
        folder.first(this::end);
        Waiting.until("a Redis server listens or ends", () -> !process.isAlive() || answers());
        return process.isAlive();
    }

    private boolean answers() {
        try {
            return ask("PING").startsWith("+PONG");
        } catch (IOException notYet) {
            return false;
        }
    }

    private Path log() {
        return folder.path().resolve("log");
    }

    /** Whether the store of these snapshots answers. */
    public static boolean isReached(Snapshots snapshots) {
        return !snapshots.ping().toCompletableFuture().handle((done, error) -> error != null).join();
    }

    public String url() {
        return "redis://" + HOST + ":" + port;
    }

    /** The text under a key, or null. */
    public String get(String key) {
        try {
            String answer = ask("GET", key);
            return answer.startsWith("$-1") ? null : answer.substring(answer.indexOf("\r\n") + 2).stripTrailing();
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    /** How often the server was asked for several keys at once, which is how mirrors look. */
    public int looks() {
        try {
            Matcher calls = Pattern.compile("cmdstat_mget:calls=(\\d+)").matcher(ask("INFO", "commandstats"));
            return calls.find() ? Integer.parseInt(calls.group(1)) : 0;
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    public void set(String key, String value) {
        try {
            ask("SET", key, value);
        } catch (IOException error) {
            throw new AssertionError(error);
        }
    }

    private String ask(String... words) throws IOException {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(HOST, port), MAX_ANSWER_MILLIS);
            socket.setSoTimeout(MAX_ANSWER_MILLIS);
            StringBuilder command = new StringBuilder("*" + (words.length + 1) + "\r\n");
            for (String word : words) {
                command.append('$').append(word.getBytes(StandardCharsets.UTF_8).length).append("\r\n").append(word).append("\r\n");
            }
            // The server ends the connection behind the answer.
            command.replace(0, command.indexOf("\r\n"), "*" + words.length).append("*1\r\n$4\r\nQUIT\r\n");
            socket.getOutputStream().write(command.toString().getBytes(StandardCharsets.UTF_8));
            String answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            return answer.endsWith("+OK\r\n") ? answer.substring(0, answer.length() - 5) : answer;
        }
    }

    /** From now on it takes connections and answers nothing. */
    public void freeze() {
        signal("STOP");
    }

    public void thaw() {
        signal("CONT");
    }

    /** Through the shell, which has the command itself: not every machine has it as a program. */
    private void signal(String name) {
        try {
            int ended = new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid()).start().waitFor();
            Assertions.assertEquals(0, ended, "kill -" + name);
        } catch (IOException | InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    private void end() {
        process.destroyForcibly();
        try {
            process.waitFor();
        } catch (InterruptedException error) {
            throw new AssertionError(error);
        }
    }

    @Override
    public void close() {
        folder.close();
    }
}
