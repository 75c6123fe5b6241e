package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/**
 * The parts of a request's target, as CONTRACT.md, "Targets", tells its forms from each other. All of them are as sent: a character
 * (U+0000 to U+00FF) is a byte.
 */
public final class Target {
    private final @Nullable String authority;
    private final String path;
    private final @Nullable String query;

    /**
     * Any text is a target.
     *
     * @param text a character for each byte; text with others is taken as UTF-8
     */
    public Target(String method, String text) {
        String target = Utf8.bytes(text);
        if (method.equals("CONNECT")) {
            this.authority = target;
            this.path = "/";
            this.query = null;
            return;
        }
        int authorityFrom = authority(target);
        int from = authorityFrom < 0 ? 0 : first(target, authorityFrom, true);
        int to = first(target, from, false);
        this.authority = authorityFrom < 0 ? null : target.substring(authorityFrom, from);
        this.path = from == to ? "/" : target.substring(from, to);
        this.query = to < target.length() && target.charAt(to) == '?' ? query(target, to + 1) : null;
    }

    /** Where the authority of a target in absolute form begins; negative in any other form. */
    private static int authority(String target) {
        int at = 0;
        while (at < target.length() && isOfScheme(target.charAt(at), at == 0)) {
            at++;
        }
        return at > 0 && target.startsWith("://", at) ? at + 3 : -1;
    }

    /** RFC 3986, section 3.1. */
    private static boolean isOfScheme(char c, boolean isFirst) {
        boolean isLetter = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z';
        return isLetter || !isFirst && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.');
    }

    private static String query(String target, int from) {
        int hash = target.indexOf('#', from);
        return target.substring(from, hash < 0 ? target.length() : hash);
    }

    /** Where the first of {@code ?}, {@code #} and perhaps {@code /} stands. */
    private static int first(String text, int from, boolean isSlashToo) {
        for (int at = from; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '?' || c == '#' || c == '/' && isSlashToo) {
                return at;
            }
        }
        return text.length();
    }

    /** Without query and fragment; {@code /} where it is empty. */
    public String path() {
        return path;
    }

    /** What is after the first {@code ?} and before any {@code #}; null where there is no {@code ?}. */
    public @Nullable String query() {
        return query;
    }

    /** As a snapshot's stamp names a request: no {@code ?} where there is no query. */
    public String pathAndQuery() {
        return query == null ? path : path + "?" + query;
    }

    /** Null where the target has none. */
    @Nullable String authority() {
        return authority;
    }

    /** The n-th segment that is not empty, from 1; null where there are fewer. */
    @Nullable String segment(int n) {
        int left = n;
        for (int from = 0; from < path.length(); ) {
            int to = end(from);
            if (to > from && --left == 0) {
                return path.substring(from, to);
            }
            from = to + 1;
        }
        return null;
    }

    /** The n-th segment behind the first slash, from 0, empty ones counted; null where there are fewer. */
    @Nullable String place(int n) {
        int from = 1;
        for (int left = n; from <= path.length(); left--) {
            int to = end(from);
            if (left == 0) {
                return path.substring(from, to);
            }
            from = to + 1;
        }
        return null;
    }

    private int end(int from) {
        int slash = path.indexOf('/', from);
        return slash < 0 ? path.length() : slash;
    }

    /** A host in lower case, without user and port; null where it is empty or not UTF-8. */
    static @Nullable String host(String authority) {
        String host = authority.substring(authority.lastIndexOf('@') + 1);
        int bracket = host.startsWith("[") ? host.indexOf(']') : -1;
        int colon = host.indexOf(':');
        int end = bracket >= 0 ? bracket + 1 : colon >= 0 ? colon : host.length();
        String name = end == 0 ? null : Utf8.ofBytes(host.substring(0, end));
        return name == null ? null : Ascii.lower(name);
    }
}
