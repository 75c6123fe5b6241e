package dev.mirror.snapshot.rules;

/** Letter case where only ASCII has any. */
final class Ascii {
    private Ascii() {}

    static String lower(String text) {
        for (int at = 0; at < text.length(); at++) {
            if (isUpper(text.charAt(at))) {
                return lowered(text);
            }
        }
        return text;
    }

    private static String lowered(String text) {
        char[] chars = text.toCharArray();
        for (int at = 0; at < chars.length; at++) {
            chars[at] = isUpper(chars[at]) ? (char) (chars[at] - 'A' + 'a') : chars[at];
        }
        return new String(chars);
    }

    private static boolean isUpper(char c) {
        return c >= 'A' && c <= 'Z';
    }
}
