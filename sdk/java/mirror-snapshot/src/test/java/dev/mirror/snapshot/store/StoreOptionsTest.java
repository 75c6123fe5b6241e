package dev.mirror.snapshot.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.store.StoreOptions.Host;
import dev.mirror.snapshot.store.StoreOptions.Login;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StoreOptionsTest {
    private static void check(String url, String expected) {
        assertEquals(expected, StoreOptions.parse(url).toString(), url);
    }

    @Test
    void every_form_is_read() {
        check("redis://h", "redis://h:6379/0");
        check("redis://h/", "redis://h:6379/0");
        check("redis://h:1/15", "redis://h:1/15");
        check("valkey://h", "redis://h:6379/0");
        check("valkeys://[::1]:7000/3", "rediss://[::1]:7000/3");
        check("rediss://[::1]", "rediss://[::1]:6379/0");
        check("redis+sentinel://a,b:5/main/2", "redis+sentinel://a:26379,b:5/main");
        check("rediss+sentinel://a/main", "rediss+sentinel://a:26379/main");
        check("valkey+cluster://a,b", "redis+cluster://a:6379,b:6379");
        check("rediss+cluster://a,b:7/", "rediss+cluster://a:6379,b:7");
    }

    @Test
    void each_part_is_where_it_belongs() {
        StoreOptions one = StoreOptions.parse("redis://us%40er:p%3Aw%2F@h:7/5?prefix=shop%3A&");
        assertEquals(StoreOptions.Topology.ONE, one.topology());
        assertEquals(List.of(new Host("h", 7)), one.hosts());
        assertEquals(new Login("us@er", "p:w/"), one.login());
        assertEquals(5, one.database());
        assertEquals("shop:", one.prefix());
        assertFalse(one.tls().on());

        StoreOptions sentinel =
                StoreOptions.parse("redis+sentinel://:pw@a,b/main/2?sentinel-user=su&sentinel-password=s%26p=1");
        assertEquals(StoreOptions.Topology.SENTINEL, sentinel.topology());
        assertEquals("main", sentinel.master());
        assertEquals(2, sentinel.database());
        assertEquals(new Login("", "pw"), sentinel.login());
        assertEquals(new Login("su", "s&p=1"), sentinel.sentinelLogin());

        assertEquals(Login.NONE, StoreOptions.parse("redis://h").login());
        assertEquals(new Login("u", ""), StoreOptions.parse("redis://u@h").login());
        assertEquals(new Login("u", "p@"), StoreOptions.parse("redis://u:p@@h").login());
    }

    @Test
    void percent_encoding_is_decoded_and_nothing_else() {
        assertEquals("a+b%zz%4é%", StoreOptions.parse("redis://h?prefix=a+b%zz%4%C3%A9%").prefix());
        assertThrows(StoreUrlException.class, () -> StoreOptions.parse("redis://h?prefix=%ff"));
    }

    @Test
    void files_of_certificates_are_named(@TempDir Path dir) throws IOException {
        Path file = Files.writeString(dir.resolve("a b.pem"), "");
        String encoded = file.toString().replace(" ", "%20");
        StoreOptions.Tls tls = StoreOptions.parse("rediss://h?ca=" + encoded + "&cert=" + encoded + "&key=" + encoded).tls();
        assertTrue(tls.on());
        assertEquals(file, tls.ca().orElseThrow());
        assertEquals(file, tls.cert().orElseThrow());
        assertEquals(file, tls.key().orElseThrow());
        assertThrows(StoreUrlException.class, () -> StoreOptions.parse("rediss://h?cert=" + encoded));
        assertThrows(StoreUrlException.class, () -> StoreOptions.parse("rediss://h?ca=" + dir));
        StoreOptions empty = StoreOptions.parse("rediss://h?ca=" + encoded);
        for (StoreClient client : List.of(StoreClient.LETTUCE, StoreClient.JEDIS)) {
            StoreUrlException wrong = assertThrows(StoreUrlException.class, () -> Stores.open(empty, client));
            assertTrue(wrong.getMessage().contains("ca="), wrong.getMessage());
        }
    }

    @Test
    void what_is_wrong_is_said_without_the_password() {
        for (String bad : new String[] {
            "u:secret@h:6379",
            "http://u:secret@h",
            "redis+secret://h",
            "redis+sentinel+secret://h/m",
            "redis://u:secret@h/x",
            "redis://u:secret@h/-1",
            "redis://u:secret@h/1/2",
            "redis://u:secret@h/99999999999",
            "redis://u:secret@",
            "redis://u:secret@:6379",
            "redis://u:secret@::1",
            "redis://u:secret@a,",
            "redis://u:secret@a,b",
            "redis://u:secret@h:0",
            "redis://u:secret@h:65536",
            "redis://u:secret@h:",
            "redis://u:secret@h:+1",
            "redis://u:secret@[::1]7",
            "redis+sentinel://u:secret@h",
            "redis+sentinel://u:secret@h/",
            "redis+cluster://u:secret@h/1",
            "redis://u:secret@h?speed=1",
            "rediss://u:secret@h?ca=/none",
            "rediss://u:secret@h?ca=%00",
            // Not percent-encoded.
            "redis://u:secret/more@h",
            "redis://u:secret?more@h",
            "redis://u:secret",
        }) {
            StoreUrlException wrong = assertThrows(StoreUrlException.class, () -> StoreOptions.parse(bad), bad);
            assertTrue(wrong.getMessage().contains("redis+sentinel://"), wrong.getMessage());
            assertFalse(wrong.getMessage().contains("secret"), wrong.getMessage());
        }
        assertThrows(StoreUrlException.class, () -> StoreOptions.parse(null));
        assertThrows(StoreUrlException.class, () -> StoreOptions.parse(" "));
        assertTrue(assertThrows(StoreUrlException.class, () -> StoreOptions.parse("redis+sentinel://h"))
                .getMessage().contains("the master's name is missing"));
    }

    @Test
    void no_text_of_it_shows_a_secret() {
        StoreOptions options = StoreOptions.parse("redis+sentinel://who:secret@h/m?sentinel-user=who&sentinel-password=secret");
        String all = options + " " + options.login() + " " + options.sentinelLogin() + " " + options.tls();
        assertFalse(all.contains("secret") || all.contains("who"), all);
    }
}
