package dev.mirror.snapshot.rules;

import dev.mirror.snapshot.RequestId;
import dev.mirror.snapshot.rules.Derivation.Reason;
import org.jspecify.annotations.Nullable;

/**
 * One rule.
 *
 * @param text as people wrote it
 * @param route null for all routes
 * @param isCounted whether identical requests are told apart by a number
 */
record Rule(String text, @Nullable Route route, Source source, boolean isCounted) {
    private static final String ARROW = " => ";
    private static final String COUNTED = " #n";

    static Rule parse(String text, JsonPaths paths) {
        String rule = Space.strip(text);
        try {
            return understood(rule, paths);
        } catch (NotUnderstood wrong) {
            throw new RuleException(rule, String.valueOf(wrong.getMessage()));
        }
    }

    private static Rule understood(String text, JsonPaths paths) throws NotUnderstood {
        // A template may hold ` => ` too: what is before it is a route only outside of quotes.
        int arrow = text.indexOf(ARROW);
        int quote = text.indexOf('"');
        boolean hasRoute = arrow >= 0 && (quote < 0 || quote > arrow);
        Route route = hasRoute ? Route.parse(text.substring(0, arrow)) : null;
        String rest = hasRoute ? Space.strip(text.substring(arrow + ARROW.length())) : text;
        boolean isCounted = rest.endsWith(COUNTED);
        String source = isCounted ? Space.strip(rest.substring(0, rest.length() - COUNTED.length())) : rest;
        return new Rule(text, route, Source.parse(source, route, paths), isCounted);
    }

    boolean applies(Exchange exchange) {
        return route == null || route.matches(exchange.request().method(), exchange.request().target());
    }

    boolean applies(String method, Target target) {
        return route == null || route.matches(method, target);
    }

    /** Null where there is none. */
    @Nullable RequestId id(Exchange exchange, long seconds) {
        String id = source.read(exchange, seconds);
        return id == null ? null : RequestId.of(id).orElse(null);
    }

    /** Why {@link #id} yields none. */
    Derivation unnamed(Exchange exchange, long seconds) {
        Missing missing = source.missing(exchange, seconds);
        return missing == null ? Derivation.unnamed(Reason.NOT_AN_ID, text, null) : Derivation.unnamed(missing.reason(), text, missing.field());
    }

    boolean readsBody() {
        return source instanceof Template template && template.readsBody();
    }

    /** The name of the response's header in which the id is told; null where it is not. */
    @Nullable String toldIn() {
        return source instanceof Source.ResponseHeader header ? header.name() : null;
    }

    /** Of the longest time bucket; 0 for none. */
    long bucketSeconds() {
        return source instanceof Template template ? template.bucketSeconds() : 0;
    }
}
