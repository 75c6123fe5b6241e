package dev.mirror.snapshot.rules;

/** Space in rules: Unicode's White_Space, which neither of {@link Character}'s tests is. */
final class Space {
    private Space() {}

    static boolean is(char c) {
        return c >= '\t' && c <= '\r' || c == '\u0085' || Character.isSpaceChar(c);
    }

    static String strip(String text) {
        int from = 0;
        int to = text.length();
        while (from < to && is(text.charAt(from))) {
            from++;
        }
        while (to > from && is(text.charAt(to - 1))) {
            to--;
        }
        return text.substring(from, to);
    }
}
