package dev.mirror.snapshot.store;

import dev.mirror.snapshot.store.StoreOptions.Host;
import dev.mirror.snapshot.store.StoreOptions.Login;
import dev.mirror.snapshot.store.StoreOptions.Tls;
import dev.mirror.snapshot.store.StoreOptions.Topology;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * A store's URL → {@link StoreOptions}. Errors quote nothing that may be a part of a password that was written without
 * percent-encoding: that is nearly everything.
 */
final class StoreUrl {
    private static final int SENTINELS_PORT = 26379;
    private static final int NODES_PORT = 6379;

    private Optional<Path> ca = Optional.empty();
    private Optional<Path> cert = Optional.empty();
    private Optional<Path> key = Optional.empty();
    private String sentinelUser = "";
    private String sentinelPassword = "";
    private String prefix = "";

    private StoreUrl() {}

    static StoreOptions parse(String url) {
        if (url == null || url.isBlank()) {
            throw new StoreUrlException("it is empty");
        }
        return new StoreUrl().read(url);
    }

    private StoreOptions read(String url) {
        String[] schemeAndRest = split(url, "://");
        if (schemeAndRest.length == 1) {
            throw new StoreUrlException("it has no scheme");
        }
        String[] restAndQuery = split(schemeAndRest[1], "?");
        String[] authorityAndPath = split(restAndQuery[0], "/");
        String authority = authorityAndPath[0];
        int at = authority.lastIndexOf('@');

        boolean encrypted = isEncrypted(schemeAndRest[0]);
        Topology topology = topology(schemeAndRest[0]);
        List<String> steps = steps(authorityAndPath);
        String master = topology == Topology.SENTINEL ? master(steps) : "";
        int database = database(topology, steps);
        List<Host> hosts = hosts(topology, authority.substring(at + 1));
        Login login = at < 0 ? Login.NONE : login(authority.substring(0, at));
        if (restAndQuery.length > 1) {
            readQuery(restAndQuery[1]);
        }
        return new StoreOptions(
                topology,
                master,
                hosts,
                new Tls(encrypted, ca, cert, key),
                login,
                new Login(sentinelUser, sentinelPassword),
                database,
                prefix);
    }

    private static boolean isEncrypted(String scheme) {
        return switch (split(scheme, "+")[0]) {
            case "redis", "valkey" -> false;
            case "rediss", "valkeys" -> true;
            default -> throw new StoreUrlException("its scheme is not known");
        };
    }

    private static Topology topology(String scheme) {
        String[] parts = split(scheme, "+");
        return switch (parts.length == 1 ? "" : parts[1]) {
            case "" -> Topology.ONE;
            case "sentinel" -> Topology.SENTINEL;
            case "cluster" -> Topology.CLUSTER;
            default -> throw new StoreUrlException("its scheme is not known");
        };
    }

    private static List<String> steps(String[] authorityAndPath) {
        if (authorityAndPath.length == 1) {
            return new ArrayList<>();
        }
        List<String> steps = new ArrayList<>(Arrays.asList(authorityAndPath[1].split("/")));
        steps.removeIf(String::isEmpty);
        return steps;
    }

    private static String master(List<String> steps) {
        if (steps.isEmpty()) {
            throw new StoreUrlException("the master's name is missing behind the sentinels");
        }
        return steps.remove(0);
    }

    private static int database(Topology topology, List<String> steps) {
        if (steps.isEmpty()) {
            return 0;
        }
        if (topology == Topology.CLUSTER) {
            throw new StoreUrlException("a cluster has no databases");
        }
        if (steps.size() > 1) {
            throw new StoreUrlException("there is too much behind the hosts");
        }
        return number(steps.get(0), 0, Integer.MAX_VALUE, "the database is no number from 0");
    }

    private static List<Host> hosts(Topology topology, String text) {
        int usualPort = topology == Topology.SENTINEL ? SENTINELS_PORT : NODES_PORT;
        List<Host> hosts = Arrays.stream(text.split(",", -1)).map(host -> host(host, usualPort)).toList();
        if (topology == Topology.ONE && hosts.size() > 1) {
            throw new StoreUrlException("several hosts are a redis+sentinel:// or a redis+cluster://");
        }
        return hosts;
    }

    private static Host host(String text, int usualPort) {
        String name;
        String rest;
        if (text.startsWith("[") && text.indexOf(']') > 0) {
            name = text.substring(1, text.indexOf(']'));
            rest = text.substring(text.indexOf(']') + 1);
        } else {
            name = split(text, ":")[0];
            rest = text.substring(name.length());
        }
        if (name.isEmpty()) {
            throw new StoreUrlException("a host is missing (an IPv6 address stands in brackets)");
        }
        if (rest.isEmpty()) {
            return new Host(name, usualPort);
        }
        String wrong = "a port is no number from 1 to 65535";
        if (!rest.startsWith(":")) {
            throw new StoreUrlException(wrong);
        }
        return new Host(name, number(rest.substring(1), 1, 65535, wrong));
    }

    private static Login login(String text) {
        String[] parts = split(text, ":");
        return new Login(decoded(parts[0]), parts.length == 1 ? "" : decoded(parts[1]));
    }

    private void readQuery(String query) {
        for (String pair : query.split("&")) {
            String[] parts = split(pair, "=");
            String value = parts.length == 1 ? "" : decoded(parts[1]);
            switch (parts[0]) {
                case "" -> { }
                case "prefix" -> prefix = value;
                case "ca" -> ca = Optional.of(file("ca", value));
                case "cert" -> cert = Optional.of(file("cert", value));
                case "key" -> key = Optional.of(file("key", value));
                case "sentinel-user" -> sentinelUser = value;
                case "sentinel-password" -> sentinelPassword = value;
                default -> throw new StoreUrlException("behind the `?` are known prefix=, ca=, cert=, key=, sentinel-user= and"
                        + " sentinel-password=, and there is something else");
            }
        }
        if (cert.isPresent() != key.isPresent()) {
            throw new StoreUrlException("cert= and key= go together");
        }
    }

    private static Path file(String name, String path) {
        try {
            Path file = Path.of(path);
            if (Files.isRegularFile(file) && Files.isReadable(file)) {
                return file;
            }
        } catch (InvalidPathException wrong) {
            // Said below.
        }
        throw new StoreUrlException("the file of " + name + "= cannot be read: " + path);
    }

    /** What is no {@code %} and two hex digits stays as it is. */
    private static String decoded(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        var decoded = new ByteArrayOutputStream(bytes.length);
        for (int i = 0; i < bytes.length; i++) {
            int high = bytes[i] == '%' && i + 2 < bytes.length ? Character.digit(bytes[i + 1], 16) : -1;
            int low = high < 0 ? -1 : Character.digit(bytes[i + 2], 16);
            if (low < 0) {
                decoded.write(bytes[i]);
            } else {
                decoded.write(high << 4 | low);
                i += 2;
            }
        }
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(decoded.toByteArray())).toString();
        } catch (CharacterCodingException wrong) {
            throw new StoreUrlException("what is percent-encoded is no UTF-8");
        }
    }

    private static int number(String text, int from, int to, String wrong) {
        try {
            int number = Integer.parseInt(text);
            if (number >= from && number <= to && Character.isDigit(text.charAt(0))) {
                return number;
            }
        } catch (NumberFormatException no) {
            // Said below.
        }
        throw new StoreUrlException(wrong);
    }

    /** What stands before and behind the first mark; one part where there is none. */
    private static String[] split(String text, String mark) {
        int at = text.indexOf(mark);
        return at < 0
                ? new String[] {text}
                : new String[] {text.substring(0, at), text.substring(at + mark.length())};
    }
}
