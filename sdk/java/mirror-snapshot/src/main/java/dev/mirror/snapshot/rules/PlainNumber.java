package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/** A JSON number's exact value in plain decimal notation: no exponent, no zeros that are not needed, no negative zero. */
final class PlainNumber {
    /** Characters of a literal, and of its plain text. */
    private static final int LONGEST = 64;
    /** An exponent of more digits moves the point further than any text is long. */
    private static final int LONGEST_EXPONENT = 9;

    private PlainNumber() {}

    /** Null where the literal or the text is too long. */
    static @Nullable String of(String literal) {
        if (literal.length() > LONGEST) {
            return null;
        }
        return isPlain(literal) ? literal : plain(literal);
    }

    /** An integer is so already: JSON has no leading zeros. */
    private static boolean isPlain(String literal) {
        for (int at = literal.startsWith("-") ? 1 : 0; at < literal.length(); at++) {
            char c = literal.charAt(at);
            if (c < '0' || c > '9') {
                return false;
            }
        }
        return !literal.equals("-0");
    }

    private static @Nullable String plain(String literal) {
        String sign = literal.startsWith("-") ? "-" : "";
        int exponentAt = Math.max(literal.indexOf('e'), literal.indexOf('E'));
        String mantissa = literal.substring(sign.length(), exponentAt < 0 ? literal.length() : exponentAt);
        int pointAt = mantissa.indexOf('.');
        int whole = pointAt < 0 ? mantissa.length() : pointAt;
        String all = pointAt < 0 ? mantissa : mantissa.substring(0, pointAt) + mantissa.substring(pointAt + 1);
        int first = 0;
        while (first < all.length() && all.charAt(first) == '0') {
            first++;
        }
        int end = all.length();
        while (end > first && all.charAt(end - 1) == '0') {
            end--;
        }
        if (first == end) {
            return "0";
        }
        long exponent = exponentAt < 0 ? 0 : exponent(literal.substring(exponentAt + 1));
        // Where the decimal point stands, counted from the first digit that is not zero.
        long point = whole - first + exponent;
        return Math.abs(point) > LONGEST ? null : placed(sign, all.substring(first, end), (int) point);
    }

    private static long exponent(String text) {
        boolean isSigned = text.startsWith("-") || text.startsWith("+");
        int from = isSigned ? 1 : 0;
        while (from < text.length() - 1 && text.charAt(from) == '0') {
            from++;
        }
        String digits = text.substring(from);
        long value = digits.length() > LONGEST_EXPONENT ? Integer.MAX_VALUE : Long.parseLong(digits);
        return text.startsWith("-") ? -value : value;
    }

    private static @Nullable String placed(String sign, String digits, int point) {
        String text;
        if (point <= 0) {
            text = sign + "0." + "0".repeat(-point) + digits;
        } else if (point >= digits.length()) {
            text = sign + digits + "0".repeat(point - digits.length());
        } else {
            text = sign + digits.substring(0, point) + "." + digits.substring(point);
        }
        return text.length() > LONGEST ? null : text;
    }
}
