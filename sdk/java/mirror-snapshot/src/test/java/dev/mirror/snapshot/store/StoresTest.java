package dev.mirror.snapshot.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class StoresTest {
    private static final String URL = "redis://127.0.0.1:1";

    /** The class path of these tests without jars whose names begin so, and what is loaded from it. */
    private static final class Without extends URLClassLoader {
        private final List<String> loaded = new ArrayList<>();

        Without(String... jars) throws MalformedURLException {
            super(urls(jars), ClassLoader.getPlatformClassLoader());
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            Class<?> found = super.findClass(name);
            loaded.add(name);
            return found;
        }

        /** The simple name of the store's class. */
        String open(String client) throws ReflectiveOperationException {
            Set<Thread> others = StoreSteps.threads();
            Class<?> options = loadClass("dev.mirror.snapshot.store.StoreOptions");
            Class<?> clients = loadClass("dev.mirror.snapshot.store.StoreClient");
            Object choice = Arrays.stream(clients.getEnumConstants())
                    .filter(one -> one.toString().equals(client))
                    .findFirst()
                    .orElseThrow();
            Object parsed = options.getMethod("parse", String.class).invoke(null, URL);
            Object store = loadClass("dev.mirror.snapshot.store.Stores")
                    .getMethod("open", options, clients)
                    .invoke(null, parsed, choice);
            loadClass("dev.mirror.snapshot.store.SnapshotStore").getMethod("close").invoke(store);
            RedisServer.until("its threads end", StoreSteps.RECOVERS_WITHIN, () -> others.containsAll(StoreSteps.threads()));
            return store.getClass().getSimpleName();
        }

        String refusal(String client) {
            Throwable thrown = assertThrows(InvocationTargetException.class, () -> open(client)).getCause();
            return assertInstanceOf(IllegalStateException.class, thrown).getMessage();
        }

        private static URL[] urls(String... jars) throws MalformedURLException {
            List<URL> urls = new ArrayList<>();
            for (String place : System.getProperty("java.class.path").split(File.pathSeparator)) {
                String file = Path.of(place).getFileName().toString();
                if (Arrays.stream(jars).noneMatch(file::startsWith)) {
                    urls.add(Path.of(place).toUri().toURL());
                }
            }
            return urls.toArray(URL[]::new);
        }
    }

    @Test
    void lettuce_is_taken_where_it_is_there() throws IOException, ReflectiveOperationException {
        try (Without none = new Without()) {
            assertEquals("LettuceStore", none.open("AUTO"));
            assertTrue(none.loaded.stream().noneMatch(name -> name.startsWith("redis.clients.")));
            assertEquals("JedisStore", none.open("JEDIS"));
            assertEquals("LettuceStore", none.open("LETTUCE"));
        }
    }

    @Test
    void jedis_is_taken_where_lettuce_is_absent() throws IOException, ReflectiveOperationException {
        try (Without lettuce = new Without("lettuce-", "netty-", "reactor-")) {
            assertEquals("JedisStore", lettuce.open("AUTO"));
            assertEquals("JedisStore", lettuce.open("JEDIS"));
            assertTrue(lettuce.refusal("LETTUCE").contains("`io.lettuce:lettuce-core`"));
        }
    }

    @Test
    void lettuce_needs_no_jedis() throws IOException, ReflectiveOperationException {
        try (Without jedis = new Without("jedis-", "commons-pool2-")) {
            assertEquals("LettuceStore", jedis.open("AUTO"));
            assertTrue(jedis.refusal("JEDIS").contains("`redis.clients:jedis`"));
        }
    }

    @Test
    void without_both_it_is_said_what_to_add() throws IOException {
        try (Without both = new Without("lettuce-", "netty-", "reactor-", "jedis-", "commons-pool2-")) {
            String why = both.refusal("AUTO");
            assertTrue(why.contains("`io.lettuce:lettuce-core`") && why.contains("`redis.clients:jedis`"), why);
        }
    }
}
