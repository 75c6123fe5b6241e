package dev.mirror.snapshot.guard;

/** A statement's text as it may stand in a log: without the values and comments that an application wrote into it. */
final class SqlOutline {
    private static final int LONGEST = 500;

    private SqlOutline() {}

    /** Strings and numbers become {@code ?}. What follows a string that could end in two places is left out. */
    static String of(String text) {
        StringBuilder outline = new StringBuilder();
        int at = 0;
        while (at < text.length() && outline.length() < LONGEST) {
            char c = text.charAt(at);
            if (c == '\'') {
                int end = endOfString(text, at);
                outline.append('?');
                if (end < 0) {
                    return outline.append('…').toString();
                }
                at = end;
            } else if (c == '$' && text.startsWith("$$", at)) {
                return outline.append("?…").toString();
            } else if (text.startsWith("/*", at)) {
                int close = text.indexOf("*/", at + 2);
                at = close < 0 ? text.length() : close + 2;
            } else if (text.startsWith("--", at)) {
                int newline = text.indexOf('\n', at);
                at = newline < 0 ? text.length() : newline;
            } else if (isDigit(c) && !endsInName(outline)) {
                while (at < text.length() && (isDigit(text.charAt(at)) || text.charAt(at) == '.')) {
                    at++;
                }
                outline.append('?');
            } else {
                if (!Character.isWhitespace(c)) {
                    outline.append(c);
                } else if (!outline.isEmpty() && outline.charAt(outline.length() - 1) != ' ') {
                    outline.append(' ');
                }
                at++;
            }
        }
        return at < text.length() ? outline.append('…').toString() : outline.toString().strip();
    }

    /** Behind its closing quote; negative where that is not sure. */
    private static int endOfString(String text, int quote) {
        for (int at = quote + 1; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '\\') {
                return -1;
            }
            if (c == '\'') {
                if (!text.startsWith("'", at + 1)) {
                    return at + 1;
                }
                at++;
            }
        }
        return -1;
    }

    private static boolean endsInName(CharSequence outline) {
        return !outline.isEmpty() && Character.isJavaIdentifierPart(outline.charAt(outline.length() - 1));
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
