package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.UnknownHostException;
import org.junit.jupiter.api.Test;

class AddressTextTest {
    private static void check(String literal, String text) throws UnknownHostException {
        assertEquals(text, AddressText.of(InetAddress.getByName(literal)), literal);
    }

    @Test
    void addresses_are_written_as_rfc_5952_says() throws UnknownHostException {
        check("1.2.3.4", "1.2.3.4");
        check("::ffff:1.2.3.4", "1.2.3.4");
        check("::", "::");
        check("::1", "::1");
        check("1::", "1::");
        check("2001:DB8::A", "2001:db8::a");
        check("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1");
        check("2001:0:0:1:0:0:0:1", "2001:0:0:1::1");
        check("1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0");
        check("0:1:2:3:4:5:0:0", "0:1:2:3:4:5::");
        check("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8");
        check("::1.2.3.4", "::102:304");
        check("64:ff9b::1.2.3.4", "64:ff9b::102:304");
    }

    @Test
    void a_zone_is_left_out_and_a_mapped_address_is_ipv4_in_any_class() throws UnknownHostException {
        byte[] linkLocal = InetAddress.getByName("fe80::7").getAddress();
        assertEquals("fe80::7", AddressText.of(Inet6Address.getByAddress("host", linkLocal, 3)));
        byte[] mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, 1, 2, 3, 4};
        assertEquals("1.2.3.4", AddressText.of(Inet6Address.getByAddress("host", mapped, -1)));
    }
}
