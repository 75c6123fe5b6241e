package dev.mirror.snapshot.rules;

import java.net.InetAddress;

/** Addresses as text: IPv4 dotted, also where it is mapped into IPv6, and IPv6 as in RFC 5952 section 4, without a zone. */
public final class AddressText {
    private static final int GROUPS = 8;

    private AddressText() {}

    /** The address, without name and port. */
    public static String of(InetAddress address) {
        byte[] bytes = address.getAddress();
        if (bytes.length == 4) {
            return dotted(bytes, 0);
        }
        return isMapped(bytes) ? dotted(bytes, 12) : grouped(bytes);
    }

    private static boolean isMapped(byte[] bytes) {
        for (int at = 0; at < 10; at++) {
            if (bytes[at] != 0) {
                return false;
            }
        }
        return bytes[10] == -1 && bytes[11] == -1;
    }

    private static String dotted(byte[] bytes, int from) {
        StringBuilder text = new StringBuilder(15);
        for (int at = from; at < from + 4; at++) {
            text.append(at == from ? "" : ".").append(bytes[at] & 0xff);
        }
        return text.toString();
    }

    private static String grouped(byte[] bytes) {
        int[] groups = new int[GROUPS];
        for (int at = 0; at < GROUPS; at++) {
            groups[at] = (bytes[2 * at] & 0xff) << 8 | bytes[2 * at + 1] & 0xff;
        }
        int longest = longestZeros(groups);
        int zeros = zeros(groups, longest);
        StringBuilder text = new StringBuilder(39);
        for (int at = 0; at < GROUPS; at++) {
            if (zeros > 1 && at == longest) {
                text.append("::");
                at += zeros - 1;
            } else {
                text.append(at == 0 || text.charAt(text.length() - 1) == ':' ? "" : ":").append(Integer.toHexString(groups[at]));
            }
        }
        return text.toString();
    }

    /** Where the longest run of zeros begins, the first of equal ones. */
    private static int longestZeros(int[] groups) {
        int longest = 0;
        for (int at = 1; at < GROUPS; at++) {
            longest = zeros(groups, at) > zeros(groups, longest) ? at : longest;
        }
        return longest;
    }

    private static int zeros(int[] groups, int from) {
        int to = from;
        while (to < GROUPS && groups[to] == 0) {
            to++;
        }
        return to - from;
    }
}
