package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/** Where an id comes from. */
sealed interface Source permits Source.Header, Source.Traceparent, Source.ResponseHeader, Source.ResponseJson, Template {
    /** What it makes of a request and the response to it; null where something is missing. */
    @Nullable String read(Exchange exchange, long seconds);

    /** What is missing; null where nothing is. */
    @Nullable Missing missing(Exchange exchange, long seconds);

    static Source parse(String text, @Nullable Route route, JsonPaths paths) throws NotUnderstood {
        if (text.equals("traceparent")) {
            return new Traceparent();
        }
        int colon = text.indexOf(':');
        int bracket = text.indexOf('(');
        if (bracket >= 0 && (colon < 0 || colon > bracket)) {
            return Template.parse(Digest.named(text.substring(0, bracket)), inside(text.substring(bracket + 1)), route, paths);
        }
        if (colon < 0) {
            throw new NotUnderstood("it has no `:`");
        }
        String name = text.substring(colon + 1);
        if (name.isEmpty()) {
            throw new NotUnderstood("the name is missing");
        }
        return switch (text.substring(0, colon)) {
            case "header" -> new Header(Ascii.lower(name));
            case "response-header" -> new ResponseHeader(Ascii.lower(name));
            case "response-json" -> new ResponseJson(name, paths.place(JsonPath.parse(name)));
            default -> throw new NotUnderstood("`" + text.substring(0, colon) + "` is unknown");
        };
    }

    /** The template in {@code "…")}. */
    private static String inside(String text) throws NotUnderstood {
        String quoted = text.endsWith(")") ? Space.strip(text.substring(0, text.length() - 1)) : "";
        if (quoted.length() < 2 || !quoted.startsWith("\"") || !quoted.endsWith("\"")) {
            throw new NotUnderstood("the template must stand in (\"…\")");
        }
        return quoted.substring(1, quoted.length() - 1);
    }

    /** The value of the request's header. */
    record Header(String name) implements Source {
        @Override
        public @Nullable String read(Exchange exchange, long seconds) {
            return exchange.request().header(name);
        }

        @Override
        public @Nullable Missing missing(Exchange exchange, long seconds) {
            return read(exchange, seconds) == null ? Missing.field("the header " + name) : null;
        }
    }

    /** The W3C trace context. */
    record Traceparent() implements Source {
        @Override
        public @Nullable String read(Exchange exchange, long seconds) {
            String header = exchange.request().header("traceparent");
            return header == null ? null : HeaderText.traceparent(header);
        }

        @Override
        public @Nullable Missing missing(Exchange exchange, long seconds) {
            return read(exchange, seconds) == null ? Missing.field("a valid header traceparent") : null;
        }
    }

    /** The value of the response's header. */
    record ResponseHeader(String name) implements Source {
        @Override
        public @Nullable String read(Exchange exchange, long seconds) {
            return exchange.response() == null ? null : exchange.response().header(name);
        }

        @Override
        public @Nullable Missing missing(Exchange exchange, long seconds) {
            return read(exchange, seconds) == null ? Missing.field("the response's header " + name) : null;
        }
    }

    /** A field of the response's body. */
    record ResponseJson(String field, int place) implements Source {
        @Override
        public @Nullable String read(Exchange exchange, long seconds) {
            JsonBody json = exchange.response() == null ? null : exchange.response().json();
            return json == null ? null : json.text(place);
        }

        @Override
        public @Nullable Missing missing(Exchange exchange, long seconds) {
            if (read(exchange, seconds) != null) {
                return null;
            }
            String name = "the response's field " + field;
            return exchange.response() == null ? Missing.field(name) : Missing.json(exchange.response(), name);
        }
    }
}
