package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/** The text of header lines. */
final class HeaderText {
    private HeaderText() {}

    /** Without spaces and tabs around it; null where a character is neither visible ASCII, space nor tab. */
    static @Nullable String of(String value) {
        for (int at = 0; at < value.length(); at++) {
            char c = value.charAt(at);
            if ((c < ' ' || c > '~') && c != '\t') {
                return null;
            }
        }
        return trim(value);
    }

    /** Without spaces and tabs around it. */
    static String trim(String text) {
        return trim(text, 0, text.length());
    }

    private static String trim(String text, int first, int end) {
        int from = first;
        int to = end;
        while (from < to && isBlank(text.charAt(from))) {
            from++;
        }
        while (to > from && isBlank(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(from, to);
    }

    private static @Nullable boolean isBlank(char c) {
        return c == ' ' || c == '\t';
    }

    /** The first cookie with that name in one line; null where there is none. */
    static @Nullable String cookie(String line, String name) {
        for (int from = 0; from <= line.length(); ) {
            int semicolon = line.indexOf(';', from);
            int to = semicolon < 0 ? line.length() : semicolon;
            int equals = line.indexOf('=', from);
            if (equals >= 0 && equals < to && trim(line, from, equals).equals(name)) {
                return trim(line, equals + 1, to);
            }
            from = to + 1;
        }
        return null;
    }

    /** What names one call in a W3C traceparent, {@code <trace-id>-<parent-id>}; null where it is not valid. */
    static @Nullable String traceparent(String value) {
        boolean isLongEnough = value.length() >= 55 && value.charAt(2) == '-' && value.charAt(35) == '-' && value.charAt(52) == '-';
        if (!isLongEnough || !isHex(value, 0, 2) || !isHex(value, 3, 35) || !isHex(value, 36, 52) || !isHex(value, 53, 55)) {
            return null;
        }
        boolean isVersion0 = value.startsWith("00");
        boolean ends = value.length() == 55 || !isVersion0 && value.charAt(55) == '-';
        boolean isZero = isZero(value, 3, 35) || isZero(value, 36, 52);
        return value.startsWith("ff") || !ends || isZero ? null : value.substring(3, 52);
    }

    private static boolean isHex(String text, int from, int to) {
        for (int at = from; at < to; at++) {
            char c = text.charAt(at);
            if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
                return false;
            }
        }
        return true;
    }

    private static boolean isZero(String text, int from, int to) {
        for (int at = from; at < to; at++) {
            if (text.charAt(at) != '0') {
                return false;
            }
        }
        return true;
    }
}
