package dev.mirror.snapshot.rules;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** What a template reads of a request. */
sealed interface Field {
    /** The text of it; null where it is missing. */
    @Nullable String read(Message request, long seconds);

    /** Why it is missing, where it is. */
    default Missing missing(Message request, String field) {
        return Missing.field(field);
    }

    /** Whether it stands in the body. */
    default boolean readsBody() {
        return false;
    }

    /** A field without its braces. */
    static Field parse(String text, @Nullable Route route, JsonPaths paths) throws NotUnderstood {
        int colon = text.indexOf(':');
        if (colon < 0) {
            return plain(text);
        }
        String name = text.substring(colon + 1);
        if (name.isEmpty()) {
            throw new NotUnderstood("`{" + text + "}` names nothing");
        }
        return switch (text.substring(0, colon)) {
            case "json" -> new Json(paths.place(JsonPath.parse(name)));
            case "query" -> new Query(name);
            case "form" -> new Form(name);
            case "header" -> new Header(Ascii.lower(name));
            case "cookie" -> new Cookie(name);
            case "path" -> segment(name, route);
            case "time" -> new Time(bucket(name));
            default -> throw new NotUnderstood("`{" + text + "}` is unknown");
        };
    }

    private static Field plain(String text) throws NotUnderstood {
        return switch (text) {
            case "method" -> new Method();
            case "path" -> new Path();
            case "host" -> new Host();
            case "client" -> new Client();
            case "json", "query", "form", "header", "cookie", "time" ->
                throw new NotUnderstood("`{" + text + "}` names nothing: write {" + text + ":…}");
            default -> throw new NotUnderstood("`{" + text + "}` is unknown");
        };
    }

    private static Field segment(String name, @Nullable Route route) throws NotUnderstood {
        if (isDigits(name)) {
            String number = name.replaceFirst("^0+", "");
            if (number.isEmpty()) {
                throw new NotUnderstood("`" + name + "` is no path segment: they count from 1");
            }
            // No target has as many as the longest numbers say.
            return new Segment(number.length() < 10 ? Integer.parseInt(number) : Integer.MAX_VALUE);
        }
        int place = route == null ? -1 : route.place(name);
        if (place < 0) {
            throw new NotUnderstood("the rule's route has no segment {" + name + "}: write `METHOD /path/{" + name + "} => …` before the rule");
        }
        return new NamedSegment(place);
    }

    /** Seconds of a bucket as in {@code s}, {@code 5s}, {@code 2m} or {@code 1h}. */
    private static long bucket(String text) throws NotUnderstood {
        String number = text.substring(0, text.length() - 1);
        long unit = switch (text.charAt(text.length() - 1)) {
            case 's' -> 1;
            case 'm' -> 60;
            case 'h' -> 3600;
            default -> 0;
        };
        String digits = number.replaceFirst("^0+(?=.)", "");
        long seconds = number.isEmpty() ? unit : isDigits(number) && digits.length() < 10 ? Long.parseLong(digits) * unit : 0;
        if (seconds < 1 || seconds > 86_400) {
            throw new NotUnderstood("`" + text + "` is no time bucket: write s, 5s, 1m or 1h, at most 24h");
        }
        return seconds;
    }

    private static boolean isDigits(String text) {
        return text.chars().allMatch(c -> c >= '0' && c <= '9');
    }

    /** A field of a JSON body, by its place among all that are read. */
    record Json(int place) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            JsonBody json = request.json();
            return json == null ? null : json.text(place);
        }

        @Override
        public Missing missing(Message request, String field) {
            return Missing.json(request, field);
        }

        @Override
        public boolean readsBody() {
            return true;
        }
    }

    /** A parameter of the query. */
    record Query(String name) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            String query = request.target().query();
            return query == null ? null : FormText.value(query, name);
        }
    }

    /** A parameter of a form's body. */
    record Form(String name) implements Field {
        private static final String TYPE = "application/x-www-form-urlencoded";

        @Override
        public @Nullable String read(Message request, long seconds) {
            boolean isRead = isForm(request) && request.body() != null && Utf8.text(request.body()) != null;
            return isRead ? FormText.value(new String(request.body(), StandardCharsets.ISO_8859_1), name) : null;
        }

        private static boolean isForm(Message request) {
            String type = request.header("content-type");
            return type != null && HeaderText.trim(type.split(";", 2)[0]).equalsIgnoreCase(TYPE);
        }

        @Override
        public Missing missing(Message request, String field) {
            boolean isNotRead = isForm(request) && request.body() == null;
            return isNotRead ? new Missing(Derivation.Reason.BODY_NOT_READ, field) : Missing.field(field);
        }

        @Override
        public boolean readsBody() {
            return true;
        }
    }

    /** A header, by its name in lower case. */
    record Header(String name) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            return request.header(name);
        }
    }

    /** A cookie. */
    record Cookie(String name) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            return request.cookie(name);
        }
    }

    /** A segment of the path that is not empty, from 1. */
    record Segment(int n) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            String segment = request.target().segment(n);
            return segment == null ? null : Percent.decoded(segment);
        }
    }

    /** The segment that the rule's route names, from 0, empty ones counted. */
    record NamedSegment(int place) implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            String segment = request.target().place(place);
            return segment == null ? null : Percent.decoded(segment);
        }
    }

    /** The path as sent. */
    record Path() implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            return Utf8.ofBytes(request.target().path());
        }
    }

    /** The method as sent. */
    record Method() implements Field {
        @Override
        public String read(Message request, long seconds) {
            return request.method();
        }
    }

    /** Whom the request is for. */
    record Host() implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            String authority = request.target().authority();
            String host = authority != null ? authority : request.header("host");
            return host == null ? null : Target.host(host);
        }
    }

    /** The address of the connection's other end. */
    record Client() implements Field {
        @Override
        public @Nullable String read(Message request, long seconds) {
            return request.client();
        }
    }

    /** The number of the time bucket of so many seconds. */
    record Time(long bucket) implements Field {
        @Override
        public String read(Message request, long seconds) {
            return Long.toString(seconds / bucket);
        }
    }
}
