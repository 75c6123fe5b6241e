package dev.mirror.snapshot.guard;

import java.util.List;
import java.util.Locale;

/**
 * How one database takes a text apart, character by character and exactly: is there a {@code delete} outside of quotes and
 * comments, in a statement that it would get to?
 *
 * @param escaped the quotes in which a backslash escapes
 * @param eStrings a backslash escapes in {@code e'…'}
 * @param names the quotes that exist besides {@code '} and {@code "}: a backtick, a bracket
 * @param comments of {@code #}, {@code //}, <code>{</code> and {@code !} (runs what is in such a comment)
 * @param nested comments within comments
 * @param tightDashes two dashes begin a comment without a space behind
 * @param dollars {@code $tag$}, only {@code $$}, or none
 * @param strings other ones: {@code q'[]'}, {@code r''} and {@code '''}
 * @param returns a carriage return ends a comment
 */
record DialectModel(String name, String escaped, boolean eStrings, String names, String comments, boolean nested, boolean tightDashes,
        Dollars dollars, String strings, boolean returns) {
    enum Dollars { NONE, BARE, TAGS }

    static final List<DialectModel> ALL = List.of(
            new DialectModel("PostgreSQL", "", true, "", "", true, true, Dollars.TAGS, "", true),
            new DialectModel("PostgreSQL, old strings", "'", true, "", "", true, true, Dollars.TAGS, "", true),
            new DialectModel("MySQL", "'\"", false, "`", "#!", false, false, Dollars.NONE, "", false),
            new DialectModel("MySQL, ANSI quotes", "'", false, "`", "#!", false, false, Dollars.NONE, "", false),
            new DialectModel("MySQL, no backslashes", "", false, "`", "#!", false, false, Dollars.NONE, "", false),
            new DialectModel("SQL Server", "", false, "[", "", true, true, Dollars.NONE, "", false),
            new DialectModel("SQLite", "", false, "`[", "", false, true, Dollars.NONE, "", false),
            new DialectModel("Oracle", "", false, "", "", false, true, Dollars.NONE, "q", false),
            new DialectModel("H2", "", false, "`", "/", true, true, Dollars.BARE, "", true),
            new DialectModel("H2, as SQL Server", "", false, "[", "/", true, true, Dollars.BARE, "", true),
            new DialectModel("Snowflake", "'", false, "", "/", false, true, Dollars.BARE, "", true),
            new DialectModel("BigQuery", "'\"`", false, "`", "#", false, true, Dollars.NONE, "r3", true),
            new DialectModel("Spark", "'\"", false, "`", "", true, true, Dollars.NONE, "r", true),
            new DialectModel("ClickHouse", "'\"`", false, "`", "#", false, true, Dollars.TAGS, "", false),
            new DialectModel("Informix", "", false, "", "{", false, true, Dollars.NONE, "", false),
            new DialectModel("standard", "", false, "", "", true, true, Dollars.NONE, "", true));

    boolean deletes(String text) {
        return new Walk(text).deletes();
    }

    private final class Walk {
        private final String text;
        private final StringBuilder code = new StringBuilder();
        private int at;
        private boolean ends = true;

        Walk(String text) {
            this.text = text;
        }

        boolean deletes() {
            int statementAt = 0;
            while (at < text.length() && ends) {
                if (text.charAt(at) == ';') {
                    statementAt = code.length() + 1;
                }
                step();
            }
            // A statement that does not end within the text is not run, those before it are.
            String run = ends ? code.toString() : code.substring(0, statementAt);
            return run.toLowerCase(Locale.ROOT).matches("(?s).*(?<![a-z_0-9])([0-9][a-z_0-9]*)?delete(?![a-z_0-9]).*");
        }

        private void step() {
            char c = text.charAt(at);
            boolean prefix = at > 1 && Character.isLetterOrDigit(text.charAt(at - 2));
            char before = at == 0 || prefix ? ' ' : Character.toLowerCase(text.charAt(at - 1));
            if (c == '\'' && strings.contains("q") && before == 'q') {
                skipTo("[{(<".indexOf(charAt(at + 1)) < 0 ? charAt(at + 1) + "'" : "]})>".charAt("[{(<".indexOf(charAt(at + 1))) + "'", at + 2);
            } else if ((c == '\'' || c == '"') && strings.contains("3") && text.startsWith(("" + c).repeat(3), at)) {
                quoted(("" + c).repeat(3), at + 3, before != 'r', false);
            } else if (c == '\'' && strings.contains("r") && before == 'r') {
                quoted("'", at + 1, false, false);
            } else if (c == '\'' || c == '"' || c == '`' && names.contains("`")) {
                quoted("" + c, at + 1, escaped.indexOf(c) >= 0 || c == '\'' && eStrings && before == 'e', !strings.contains("3"));
            } else if (c == '[' && names.contains("[")) {
                quoted("]", at + 1, false, !name.equals("SQLite"));
            } else if (c == ']' && names.contains("[")) {
                ends = false;
            } else if (c == '{' && comments.contains("{")) {
                skipTo("}", at + 1);
            } else if (text.startsWith("/*", at)) {
                comment();
            } else if (text.startsWith("--", at) && (tightDashes || charAt(at + 2) <= ' ')
                    || c == '#' && comments.contains("#") || text.startsWith("//", at) && comments.contains("/")) {
                line();
            } else if (c == '$' && dollars != Dollars.NONE && !inName()) {
                dollar();
            } else {
                code.append(c);
                at++;
            }
        }

        private void quoted(String quote, int from, boolean escapes, boolean doubles) {
            code.append(' ');
            for (at = from; at < text.length(); at++) {
                if (escapes && text.charAt(at) == '\\') {
                    at++;
                } else if (doubles && text.startsWith(quote + quote, at)) {
                    at++;
                } else if (text.startsWith(quote, at)) {
                    at += quote.length();
                    return;
                }
            }
            ends = false;
        }

        private void comment() {
            code.append(' ');
            if (comments.contains("!") && text.startsWith("!", at + 2)) {
                at += 3;
                return;
            }
            int depth = 0;
            do {
                if (text.startsWith("/*", at) && (nested || depth == 0)) {
                    depth++;
                    at += 2;
                } else if (text.startsWith("*/", at)) {
                    depth--;
                    at += 2;
                } else {
                    at++;
                }
            } while (depth > 0 && at < text.length());
            ends = depth == 0;
        }

        private void line() {
            code.append(' ');
            while (at < text.length() && text.charAt(at) != '\n' && !(returns && text.charAt(at) == '\r')) {
                at++;
            }
        }

        private void dollar() {
            int end = at + 1;
            while (dollars == Dollars.TAGS && end < text.length() && Character.isLetter(text.charAt(end))) {
                end++;
            }
            if (charAt(end) == '$') {
                skipTo(text.substring(at, end + 1), end + 1);
            } else {
                code.append('$');
                at++;
            }
        }

        private boolean inName() {
            char before = code.isEmpty() ? ' ' : code.charAt(code.length() - 1);
            return Character.isLetterOrDigit(before) || before == '$';
        }

        private void skipTo(String what, int from) {
            code.append(' ');
            int close = text.indexOf(what, from);
            ends = close >= 0;
            at = ends ? close + what.length() : text.length();
        }

        private char charAt(int index) {
            return index < text.length() ? text.charAt(index) : ' ';
        }
    }
}
