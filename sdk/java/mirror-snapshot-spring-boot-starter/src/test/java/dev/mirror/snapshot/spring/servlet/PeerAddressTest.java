package dev.mirror.snapshot.spring.servlet;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import dev.mirror.snapshot.document.Hash;
import org.junit.jupiter.api.Test;

class PeerAddressTest {
    @Test
    void addresses_are_read_as_containers_write_them() {
        String[][] cases = {{"127.0.0.1", "127.0.0.1:80"}, {"255.0.9.10", "255.0.9.10:80"}, {"0:0:0:0:0:0:0:1", "[::1]:80"}, {"::1", "[::1]:80"},
            {"::ffff:1.2.3.4", "1.2.3.4:80"}, {"fe80:0:0:0:1:2:3:4%eth0", "[fe80::1:2:3:4]:80"}, {"2001:DB8::1%3", "[2001:db8::1]:80"}};
        for (String[] each : cases) {
            assertEquals(each[1], Hash.peer(PeerAddress.of(each[0], 80)), each[0]);
        }
    }

    @Test
    void names_are_not_looked_up() {
        for (String name : new String[] {null, "", "localhost", "example.org", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.x", "1..2.3", "dead",
            "g::1", "a:b:c", "unix:/run/socket", "1.2.3.٤", "::٤"}) {
            assertNull(PeerAddress.of(name, 80), name);
        }
        assertNull(PeerAddress.of("127.0.0.1", -1));
        assertNull(PeerAddress.of("127.0.0.1", 70_000));
    }
}
