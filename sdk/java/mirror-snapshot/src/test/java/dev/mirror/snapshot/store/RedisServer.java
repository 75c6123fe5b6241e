package dev.mirror.snapshot.store;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/** A Redis server on a free port of the loopback address, with nothing on disk, that ends with the test. */
public final class RedisServer implements AutoCloseable {
    static final String HOST = "127.0.0.1";
    private static final Duration STARTS_WITHIN = Duration.ofSeconds(30);
    private static final int MAX_ANSWER_MILLIS = 30_000;
    private static final Set<RedisServer> OPEN = ConcurrentHashMap.newKeySet();

    static {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> OPEN.forEach(RedisServer::close)));
    }

    private final int port;
    private final Path directory;
    private final List<String> command;
    private Process process;

    /** Skips the test where there is no server to start. */
    public static RedisServer start(String... options) {
        return startOn(freePort(), options);
    }

    static RedisServer startOn(int port, String... options) {
        List<String> all = new ArrayList<>(List.of("--port", Integer.toString(port)));
        all.addAll(List.of(options));
        RedisServer server = new RedisServer(port, null, all);
        server.restart();
        return server;
    }

    /** Watches a master of the name {@code main}, which counts as down after half a second. */
    static RedisServer sentinel(int masterPort, String... more) {
        int port = freePort();
        String text = "port " + port + "\nsentinel monitor main " + HOST + " " + masterPort + " 2\n"
                + "sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n"
                + String.join("\n", more) + "\n";
        RedisServer server = new RedisServer(port, text, List.of("--sentinel"));
        server.restart();
        return server;
    }

    private RedisServer(int port, String configuration, List<String> options) {
        Assumptions.assumeTrue(isInstalled("redis-server"), "needs redis-server");
        this.port = port;
        try {
            directory = Files.createTempDirectory("mirror-redis");
            command = new ArrayList<>(List.of("redis-server"));
            if (configuration != null) {
                command.add(Files.writeString(directory.resolve("redis.conf"), configuration).toString());
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        command.addAll(options);
        command.addAll(List.of("--bind", HOST, "--protected-mode", "no", "--dir", directory.toString()));
        if (configuration == null) {
            command.addAll(List.of("--save", "", "--appendonly", "no"));
        }
    }

    static boolean isInstalled(String program) {
        return Arrays.stream(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
    }

    static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(HOST))) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public int port() {
        return port;
    }

    public String url() {
        return "redis://" + HOST + ":" + port;
    }

    /** After {@link #kill}: on the same port, empty. */
    public void restart() {
        try {
            Path log = directory.resolve("log");
            process = new ProcessBuilder(command)
                    .redirectErrorStream(true)
                    .redirectOutput(log.toFile())
                    .start();
            OPEN.add(this);
            until("a server listens: see " + log, STARTS_WITHIN, this::listens);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public void kill() {
        process.destroyForcibly();
        try {
            process.waitFor(5, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** From now on it takes connections and answers nothing. */
    public void freeze() {
        signal("STOP");
    }

    public void thaw() {
        signal("CONT");
    }

    /** What it answers to a command; lists are lines. */
    public String ask(String... words) {
        return askAs(null, words);
    }

    /** After a login with this password. */
    String askAs(String password, String... words) {
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(HOST, port), MAX_ANSWER_MILLIS);
            socket.setSoTimeout(MAX_ANSWER_MILLIS);
            InputStream in = new BufferedInputStream(socket.getInputStream());
            if (password != null) {
                socket.getOutputStream().write(request("AUTH", password));
                answer(in);
            }
            socket.getOutputStream().write(request(words));
            return answer(in);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static byte[] request(String... words) {
        var request = new StringBuilder("*" + words.length + "\r\n");
        for (String word : words) {
            request.append('$').append(word.length()).append("\r\n").append(word).append("\r\n");
        }
        return request.toString().getBytes(StandardCharsets.ISO_8859_1);
    }

    /** How often it did a command, as {@code set}. */
    public long calls(String name) {
        for (String line : ask("INFO", "commandstats").split("\r\n")) {
            if (line.startsWith("cmdstat_" + name + ":")) {
                return Long.parseLong(line.replaceFirst(".*:calls=(\\d+),.*", "$1"));
            }
        }
        return 0;
    }

    @Override
    public void close() {
        kill();
        OPEN.remove(this);
        try (Stream<Path> files = Files.walk(directory)) {
            files.sorted(Comparator.reverseOrder()).map(Path::toFile).forEach(File::delete);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public static void until(String what, Duration limit, BooleanSupplier holds) {
        long end = System.nanoTime() + limit.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("not within " + limit + ": " + what);
            }
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
    }

    private boolean listens() {
        if (!process.isAlive()) {
            throw new AssertionError("the server ended: " + command);
        }
        try (Socket socket = new Socket()) {
            socket.connect(new InetSocketAddress(HOST, port), 200);
            return true;
        } catch (IOException notYet) {
            return false;
        }
    }

    /** Through the shell, which has the command itself: not every machine has it as a program. */
    private void signal(String name) {
        try {
            int ended = new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid()).start().waitFor();
            Assertions.assertEquals(0, ended, "kill -" + name);
        } catch (IOException | InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    private static String answer(InputStream in) throws IOException {
        String line = line(in);
        String rest = line.substring(1);
        switch (line.charAt(0)) {
            case '$' -> {
                int length = Integer.parseInt(rest);
                if (length < 0) {
                    return "";
                }
                String text = new String(in.readNBytes(length), StandardCharsets.ISO_8859_1);
                line(in);
                return text;
            }
            case '*' -> {
                List<String> parts = new ArrayList<>();
                for (int i = Integer.parseInt(rest); i > 0; i--) {
                    parts.add(answer(in));
                }
                return String.join("\n", parts);
            }
            default -> {
                return rest;
            }
        }
    }

    private static String line(InputStream in) throws IOException {
        var line = new ByteArrayOutputStream();
        for (int c; (c = in.read()) != '\n'; ) {
            if (c < 0) {
                throw new EOFException();
            }
            if (c != '\r') {
                line.write(c);
            }
        }
        return line.toString(StandardCharsets.ISO_8859_1);
    }
}
