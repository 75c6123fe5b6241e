package dev.mirror.snapshot.rules;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** JSON as compact text with sorted members and plain numbers: the same for values that are the same. */
public final class CanonicalJson {
    /** The outermost value is at level 0. */
    private static final int DEEPEST = 64;

    private CanonicalJson() {}

    /** Null where this is not one JSON text, or something inside is missing. */
    public static @Nullable String of(byte[] json) {
        String text = Utf8.text(json);
        return text == null || Json.hasLoneSurrogate(text) ? null : of(text);
    }

    /** The same of a text without unpaired surrogates. */
    static @Nullable String of(String json) {
        try (JsonParser parser = Json.parser(json)) {
            if (parser.nextToken() == null) {
                return null;
            }
            String text = value(parser, 0);
            return parser.nextToken() == null ? text : null;
        } catch (IOException none) {
            return null;
        }
    }

    /** The text of a scalar that is read by itself; null where it is missing. */
    static @Nullable String scalar(JsonParser parser) throws IOException {
        return switch (parser.currentToken()) {
            case VALUE_STRING -> parser.getText();
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> PlainNumber.of(parser.getText());
            case VALUE_TRUE -> "true";
            case VALUE_FALSE -> "false";
            default -> null;
        };
    }

    /** From a value's first token to its last, also where it is missing. */
    private static @Nullable String value(JsonParser parser, int level) throws IOException {
        if (level > DEEPEST) {
            parser.skipChildren();
            return null;
        }
        return switch (parser.currentToken()) {
            case START_ARRAY -> array(parser, level);
            case START_OBJECT -> object(parser, level);
            case VALUE_STRING -> quoted(parser.getText());
            case VALUE_NULL -> "null";
            default -> scalar(parser);
        };
    }

    private static @Nullable String array(JsonParser parser, int level) throws IOException {
        StringBuilder text = new StringBuilder("[");
        boolean isMissing = false;
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            String item = value(parser, level + 1);
            isMissing |= item == null;
            text.append(text.length() == 1 ? "" : ",").append(item);
        }
        return isMissing ? null : text.append(']').toString();
    }

    private static @Nullable String object(JsonParser parser, int level) throws IOException {
        Map<String, String> members = new TreeMap<>(CanonicalJson::byCodePoints);
        while (parser.nextToken() != JsonToken.END_OBJECT) {
            String name = parser.currentName();
            parser.nextToken();
            members.put(name, value(parser, level + 1));
        }
        StringBuilder text = new StringBuilder("{");
        for (Map.Entry<String, String> member : members.entrySet()) {
            if (member.getValue() == null) {
                return null;
            }
            text.append(text.length() == 1 ? "" : ",").append(quoted(member.getKey())).append(':').append(member.getValue());
        }
        return text.append('}').toString();
    }

    /** Strings compare by their UTF-16 units, where surrogates come before U+E000 to U+FFFF. */
    private static int byCodePoints(String one, String other) {
        int end = Math.min(one.length(), other.length());
        for (int at = 0; at < end; at++) {
            char a = one.charAt(at);
            char b = other.charAt(at);
            if (a != b) {
                boolean isPair = Character.isSurrogate(a);
                return isPair == Character.isSurrogate(b) ? a - b : isPair ? 1 : -1;
            }
        }
        return one.length() - other.length();
    }

    private static String quoted(String text) {
        StringBuilder quoted = new StringBuilder(text.length() + 2).append('"');
        for (int at = 0; at < text.length(); at++) {
            char c = text.charAt(at);
            switch (c) {
                case '"' -> quoted.append("\\\"");
                case '\\' -> quoted.append("\\\\");
                case '\b' -> quoted.append("\\b");
                case '\f' -> quoted.append("\\f");
                case '\n' -> quoted.append("\\n");
                case '\r' -> quoted.append("\\r");
                case '\t' -> quoted.append("\\t");
                default -> quoted.append(c < ' ' ? escaped(c) : Character.toString(c));
            }
        }
        return quoted.append('"').toString();
    }

    private static String escaped(char control) {
        return "\\u00" + (control < 0x10 ? "0" : "") + Integer.toHexString(control);
    }
}
