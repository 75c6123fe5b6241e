package dev.mirror.snapshot.rules;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A method and a path pattern, as in {@code POST /orders}, <code>PUT /users/{user}/address</code>, {@code GET /static/**}.
 *
 * @param method {@code *} for any
 */
record Route(String method, List<Segment> segments) {
    /** One segment of the pattern; the text is a segment's, its characters bytes, or its name. */
    record Segment(Kind kind, String text) {}

    /** What a segment of the pattern stands for. */
    enum Kind {
        /** The same text. */
        TEXT,
        /** Any one segment. */
        ANY,
        /** Any one that is not empty, and that a rule can read. */
        NAMED,
        /** One or more segments, to the end. */
        REST
    }

    static Route parse(String text) throws NotUnderstood {
        String route = Space.strip(text);
        int space = 0;
        while (space < route.length() && !Space.is(route.charAt(space))) {
            space++;
        }
        String method = route.substring(0, space);
        String path = Space.strip(route.substring(space));
        if (!isMethod(method) || !path.startsWith("/") || path.chars().anyMatch(c -> Space.is((char) c))) {
            throw noRoute(text);
        }
        String[] parts = path.substring(1).split("/", -1);
        List<Segment> segments = new ArrayList<>();
        for (int at = 0; at < parts.length; at++) {
            Segment segment = segment(parts[at]);
            if (segment == null || segment.kind == Kind.REST && at < parts.length - 1) {
                throw noRoute(text);
            }
            segments.add(segment);
        }
        return new Route(method, List.copyOf(segments));
    }

    private static boolean isMethod(String method) {
        return method.equals("*") || !method.isEmpty() && method.chars().allMatch(c -> c >= 'A' && c <= 'Z' || c == '-');
    }

    private static @Nullable Segment segment(String text) {
        if (text.equals("*")) {
            return new Segment(Kind.ANY, "");
        }
        if (text.equals("**")) {
            return new Segment(Kind.REST, "");
        }
        boolean isNamed = text.length() > 2 && text.startsWith("{") && text.endsWith("}");
        String inside = isNamed ? text.substring(1, text.length() - 1) : text;
        boolean isClear = inside.chars().noneMatch(c -> c == '{' || c == '}' || c == '*');
        return !isClear ? null : isNamed ? new Segment(Kind.NAMED, inside) : new Segment(Kind.TEXT, Utf8.encoded(inside));
    }

    private static NotUnderstood noRoute(String text) {
        return new NotUnderstood("`" + text + "` is not a route: write METHOD /path, for example 'POST /orders', 'PUT /users/*' or 'GET /static/**'");
    }

    /** Whether a request is on this route; its path is taken as sent. */
    boolean matches(String theirMethod, Target target) {
        if (!method.equals("*") && !method.equals(theirMethod)) {
            return false;
        }
        String path = target.path();
        if (!path.startsWith("/")) {
            return false;
        }
        // Where their next segment begins; beyond the end when there is none.
        int from = 1;
        for (int at = 0; at < segments.size(); at++) {
            if (from > path.length()) {
                return false;
            }
            Segment ours = segments.get(at);
            if (ours.kind == Kind.REST) {
                return true;
            }
            int slash = path.indexOf('/', from);
            int to = slash < 0 ? path.length() : slash;
            if (!fits(ours, path, from, to)) {
                return false;
            }
            from = to + 1;
        }
        return from > path.length();
    }

    private static boolean fits(Segment ours, String path, int from, int to) {
        return switch (ours.kind) {
            case TEXT -> to - from == ours.text.length() && path.startsWith(ours.text, from);
            case NAMED -> to > from;
            case ANY, REST -> true;
        };
    }

    /** Which segment is called so, from 0; -1 where none is. */
    int place(String name) {
        for (int at = 0; at < segments.size(); at++) {
            if (segments.get(at).equals(new Segment(Kind.NAMED, name))) {
                return at;
            }
        }
        return -1;
    }
}
