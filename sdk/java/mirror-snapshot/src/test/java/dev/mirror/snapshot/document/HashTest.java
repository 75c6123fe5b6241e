package dev.mirror.snapshot.document;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class HashTest {
    @Test
    void bytes_are_hashed_as_everywhere() {
        // From the algorithm's own tests.
        assertEquals("2d06800538d394c2", Hash.of(new byte[0]));
    }

    @Test
    void a_request_is_its_method_path_and_query_as_sent() {
        check("/a?b=1", "/a?b=1");
        check("/a?", "/a?");
        check("/a#f", "/a");
        check("/a?b#f?c", "/a?b");
        check("", "/");
        check("?b", "/?b");
        check("http://user@host:1/a?b", "/a?b");
        check("http://host", "/");
        // A character is a byte.
        check("/Ã¤", "/ä");
    }

    private static void check(String target, String pathAndQuery) {
        assertEquals(Hash.of(("GET " + pathAndQuery).getBytes(StandardCharsets.UTF_8)), Hash.request("GET", target), target);
    }

    @Test
    void a_peer_is_an_address_and_a_port() throws UnknownHostException {
        assertEquals("1.2.3.4:5", Hash.peer(new InetSocketAddress("1.2.3.4", 5)));
        assertEquals("[::1]:65535", Hash.peer(new InetSocketAddress("::1", 65535)));
        assertEquals("1.2.3.4:5", Hash.peer(new InetSocketAddress("::ffff:1.2.3.4", 5)));
        byte[] linkLocal = InetAddress.getByName("fe80::7").getAddress();
        InetAddress withZone = Inet6Address.getByAddress("host", linkLocal, 3);
        assertEquals("[fe80::7]:80", Hash.peer(new InetSocketAddress(withZone, 80)));
    }

    @Test
    void a_peer_that_is_not_known_is_left_out() {
        assertNull(Hash.peer(InetSocketAddress.createUnresolved("somewhere", 5)));
    }
}
