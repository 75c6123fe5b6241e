package dev.mirror.snapshot.document;

import com.dynatrace.hash4j.hashing.Hashing;
import dev.mirror.snapshot.rules.AddressText;
import dev.mirror.snapshot.rules.Target;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/** Digests that documents hold in place of requests and values. */
public final class Hash {
    private Hash() {}

    /** XXH3-64 with seed 0, as 16 lower-case hex digits, most significant first. */
    public static String of(byte[] bytes) {
        return HexFormat.of().toHexDigits(Hashing.xxh3_64().hashBytesToLong(bytes));
    }

    /** The same of {@code METHOD path?query}, as sent. */
    public static String request(String method, String target) {
        return of((method + " " + new Target(method, target).pathAndQuery()).getBytes(StandardCharsets.ISO_8859_1));
    }

    /** {@code 1.2.3.4:5} or {@code [::1]:5}; null where the address is not known. */
    public static @Nullable String peer(InetSocketAddress peer) {
        if (peer.getAddress() == null) {
            return null;
        }
        String address = AddressText.of(peer.getAddress());
        return (address.contains(":") ? "[" + address + "]" : address) + ":" + peer.getPort();
    }
}
