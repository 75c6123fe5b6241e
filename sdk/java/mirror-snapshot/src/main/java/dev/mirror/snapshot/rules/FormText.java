package dev.mirror.snapshot.rules;

import org.jspecify.annotations.Nullable;

/** {@code application/x-www-form-urlencoded}: a query, or a form's body, as text whose characters are bytes. */
final class FormText {
    private FormText() {}

    /** The first parameter with that name, decoded; null where there is none or it is no UTF-8. */
    static @Nullable String value(String text, String name) {
        for (int from = 0; from <= text.length(); ) {
            int ampersand = text.indexOf('&', from);
            int to = ampersand < 0 ? text.length() : ampersand;
            int equals = text.indexOf('=', from);
            int nameEnd = equals < 0 || equals > to ? to : equals;
            if (to > from && name.equals(Percent.formDecoded(text.substring(from, nameEnd)))) {
                return nameEnd == to ? "" : Percent.formDecoded(text.substring(nameEnd + 1, to));
            }
            from = to + 1;
        }
        return null;
    }
}
