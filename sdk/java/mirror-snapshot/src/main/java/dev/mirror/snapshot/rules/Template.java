package dev.mirror.snapshot.rules;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Text with fields in braces, filled in from a request, and the digest that is made of it.
 *
 * @param bucketSeconds of the longest time bucket; 0 for none
 */
record Template(Digest digest, List<Part> parts, boolean readsBody, long bucketSeconds) implements Source {
    /** Text, or a field: then {@code text} is how the rule writes it. */
    record Part(String text, @Nullable Field field, boolean isOptional) {}

    static Template parse(Digest digest, String text, @Nullable Route route, JsonPaths paths) throws NotUnderstood {
        List<Part> parts = parts(text, route, paths);
        boolean readsBody = false;
        long bucketSeconds = 0;
        boolean readsNothing = true;
        for (Part part : parts) {
            readsNothing &= part.field == null;
            readsBody |= part.field != null && part.field.readsBody();
            bucketSeconds = part.field instanceof Field.Time time ? Math.max(bucketSeconds, time.bucket()) : bucketSeconds;
        }
        if (readsNothing) {
            throw new NotUnderstood("the template reads nothing of the request");
        }
        return new Template(digest, List.copyOf(parts), readsBody, bucketSeconds);
    }

    private static List<Part> parts(String template, @Nullable Route route, JsonPaths paths) throws NotUnderstood {
        List<Part> parts = new ArrayList<>();
        StringBuilder text = new StringBuilder();
        for (int at = 0; at < template.length(); at++) {
            char c = template.charAt(at);
            boolean isBrace = c == '{' || c == '}';
            if (isBrace && at + 1 < template.length() && template.charAt(at + 1) == c) {
                text.append(c);
                at++;
            } else if (c == '}') {
                throw new NotUnderstood("a `}` is not opened; as text it is written }}");
            } else if (c == '{') {
                int end = template.indexOf('}', at);
                if (end < 0) {
                    throw new NotUnderstood("a `{` is not closed; as text it is written {{");
                }
                addText(parts, text);
                parts.add(field(template.substring(at + 1, end), route, paths));
                at = end;
            } else {
                text.append(c);
            }
        }
        addText(parts, text);
        return parts;
    }

    private static void addText(List<Part> parts, StringBuilder text) {
        if (!text.isEmpty()) {
            parts.add(new Part(text.toString(), null, false));
            text.setLength(0);
        }
    }

    private static Part field(String inside, @Nullable Route route, JsonPaths paths) throws NotUnderstood {
        boolean isOptional = inside.startsWith("?");
        Field field = Field.parse(isOptional ? inside.substring(1) : inside, route, paths);
        return new Part("{" + inside + "}", field, isOptional);
    }

    @Override
    public @Nullable String read(Exchange exchange, long seconds) {
        StringBuilder filled = new StringBuilder(64);
        for (int at = 0; at < parts.size(); at++) {
            Part part = parts.get(at);
            String text = part.field == null ? part.text : part.field.read(exchange.request(), seconds);
            if (text != null) {
                filled.append(text);
            } else if (!part.isOptional) {
                return null;
            }
        }
        return digest.of(filled.toString());
    }

    @Override
    public @Nullable Missing missing(Exchange exchange, long seconds) {
        for (Part part : parts) {
            if (part.field != null && !part.isOptional && part.field.read(exchange.request(), seconds) == null) {
                return part.field.missing(exchange.request(), part.text);
            }
        }
        return null;
    }
}
