package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What rules read of a JSON body, found in one pass: texts of scalars, and where arrays and objects stand, which become text only when they
 * are asked for. For one thread.
 */
final class JsonBody {
    private final String text;
    private final JsonPaths paths;
    /** By the path's place: null, a text, or a {@link Slice}. */
    private final @Nullable Object[] found;
    /** By the path's place: how many of its steps the pass has taken to where it is. */
    private final int[] taken;

    /** Where an array or object stands in the text. */
    private record Slice(int from, int to) {}

    private JsonBody(String text, JsonPaths paths) {
        this.text = text;
        this.paths = paths;
        this.found = new Object[paths.size()];
        this.taken = new int[paths.size()];
    }

    /** Null where the body is not one JSON text. */
    static @Nullable JsonBody read(byte[] body, JsonPaths paths) {
        String text = Utf8.text(body);
        if (text == null || Json.hasLoneSurrogate(text)) {
            return null;
        }
        JsonBody json = new JsonBody(text, paths);
        try (JsonParser parser = Json.parser(text)) {
            if (parser.nextToken() == null) {
                return null;
            }
            json.value(parser, 0);
            return parser.nextToken() == null ? json : null;
        } catch (IOException none) {
            return null;
        }
    }

    /** The text of the value at a path; null where there is none. */
    @Nullable String text(int place) {
        if (found[place] instanceof Slice slice) {
            found[place] = CanonicalJson.of(text.substring(slice.from, slice.to));
        }
        return (String) found[place];
    }

    /** From a value's first token to its last; so many steps lead to it, which are no more than the longest path has. */
    private void value(JsonParser parser, int depth) throws IOException {
        JsonToken token = parser.currentToken();
        if (token.isScalarValue()) {
            if (isEnd(depth)) {
                settle(depth, CanonicalJson.scalar(parser));
            }
        } else if (isEnd(depth)) {
            int from = (int) parser.currentTokenLocation().getCharOffset();
            inside(parser, depth);
            settle(depth, new Slice(from, (int) parser.currentLocation().getCharOffset()));
        } else {
            inside(parser, depth);
        }
    }

    private void inside(JsonParser parser, int depth) throws IOException {
        boolean isObject = parser.currentToken() == JsonToken.START_OBJECT;
        for (int index = 0; !parser.nextToken().isStructEnd(); index++) {
            String name = isObject ? parser.currentName() : null;
            if (isObject) {
                parser.nextToken();
            }
            if (isStep(depth, name, index)) {
                value(parser, depth + 1);
                back(depth);
            } else {
                parser.skipChildren();
            }
        }
    }

    /** Takes the step of all paths that lead into this member or item. */
    private boolean isStep(int depth, @Nullable String name, int index) {
        boolean isStep = false;
        for (int place = 0; place < taken.length; place++) {
            List<JsonPath.Step> steps = paths.at(place).steps();
            if (taken[place] == depth && steps.size() > depth && steps.get(depth).fits(name, index)) {
                taken[place]++;
                // Of members with one name the last counts.
                found[place] = null;
                isStep = true;
            }
        }
        return isStep;
    }

    private void back(int depth) {
        for (int place = 0; place < taken.length; place++) {
            taken[place] = Math.min(taken[place], depth);
        }
    }

    private boolean isEnd(int depth) {
        for (int place = 0; place < taken.length; place++) {
            if (isEnd(place, depth)) {
                return true;
            }
        }
        return false;
    }

    private void settle(int depth, @Nullable Object value) {
        for (int place = 0; place < taken.length; place++) {
            if (isEnd(place, depth)) {
                found[place] = value;
            }
        }
    }

    private boolean isEnd(int place, int depth) {
        return taken[place] == depth && paths.at(place).steps().size() == depth;
    }
}
