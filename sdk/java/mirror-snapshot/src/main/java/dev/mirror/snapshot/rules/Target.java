package dev.mirror.snapshot.rules;

/** The parts of a request's target, in origin form ({@code /path?query}) or absolute form ({@code http://host/path}), all as sent. */
public final class Target {
    private final String text;
    /** In absolute form the authority stands before the path; -1 in any other. */
    private final int authorityFrom;
    private final String path;

    /** Parses nothing that could be wrong: any text is a target. */
    public Target(String text) {
        this.text = text;
        int scheme = text.startsWith("/") ? -1 : text.indexOf("://");
        this.authorityFrom = scheme < 0 ? -1 : scheme + 3;
        int from = scheme < 0 ? 0 : first(text, authorityFrom, true);
        int to = first(text, from, false);
        this.path = from == to ? "/" : text.substring(from, to);
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

    /** What is behind the first {@code ?} and before any {@code #}; null where there is no {@code ?}. */
    public String query() {
        int mark = text.indexOf('?');
        int hash = text.indexOf('#');
        if (mark < 0 || hash >= 0 && hash < mark) {
            return null;
        }
        return text.substring(mark + 1, hash < 0 ? text.length() : hash);
    }

    /** As a snapshot's stamp names a request: no {@code ?} where there is no query. */
    public String pathAndQuery() {
        String query = query();
        return query == null ? path : path + "?" + query;
    }

    /** Null where the target is not in absolute form. */
    String authority() {
        return authorityFrom < 0 ? null : text.substring(authorityFrom, first(text, authorityFrom, true));
    }

    /** The n-th segment that is not empty, from 1; null where there are fewer. */
    String segment(int n) {
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
    String place(int n) {
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

    /** A host in lower case, without user and port; null where it is empty. */
    static String host(String authority) {
        String host = authority.substring(authority.lastIndexOf('@') + 1);
        int bracket = host.startsWith("[") ? host.indexOf(']') : -1;
        int colon = host.indexOf(':');
        int end = bracket >= 0 ? bracket + 1 : colon >= 0 ? colon : host.length();
        return end == 0 ? null : Ascii.lower(host.substring(0, end));
    }
}
