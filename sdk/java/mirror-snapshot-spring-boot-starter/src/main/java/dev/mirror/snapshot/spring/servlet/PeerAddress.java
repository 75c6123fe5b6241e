package dev.mirror.snapshot.spring.servlet;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import org.jspecify.annotations.Nullable;

/** The address of a connection's other end as servlet containers tell it, as text. Names are never looked up. */
final class PeerAddress {
    private PeerAddress() {}

    /** Null where the text is no address. */
    static @Nullable InetSocketAddress of(@Nullable String address, int port) {
        if (address == null || port < 0 || port > 65535) {
            return null;
        }
        try {
            InetAddress parsed = address.indexOf(':') >= 0 ? six(address) : four(address);
            return parsed == null ? null : new InetSocketAddress(parsed, port);
        } catch (UnknownHostException none) {
            return null;
        }
    }

    private static @Nullable InetAddress six(String address) throws UnknownHostException {
        int zone = address.indexOf('%');
        String text = zone < 0 ? address : address.substring(0, zone);
        boolean literal = text.chars().allMatch(c -> Character.digit(c, 16) >= 0 && c < 128 || c == ':' || c == '.');
        return literal ? InetAddress.getByName(text) : null;
    }

    private static @Nullable InetAddress four(String address) throws UnknownHostException {
        String[] parts = address.split("\\.", -1);
        byte[] bytes = new byte[4];
        if (parts.length != bytes.length) {
            return null;
        }
        for (int i = 0; i < bytes.length; i++) {
            int value = octet(parts[i]);
            if (value < 0) {
                return null;
            }
            bytes[i] = (byte) value;
        }
        return InetAddress.getByAddress(bytes);
    }

    private static int octet(String text) {
        if (text.isEmpty() || text.length() > 3 || !text.chars().allMatch(c -> c >= '0' && c <= '9')) {
            return -1;
        }
        int value = Integer.parseInt(text);
        return value <= 255 ? value : -1;
    }
}
