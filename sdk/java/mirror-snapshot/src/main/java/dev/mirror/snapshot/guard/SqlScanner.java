package dev.mirror.snapshot.guard;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

import dev.mirror.snapshot.guard.SqlToken.Kind;

/**
 * Takes a text apart into statements and tokens, without comments. Where databases would disagree about where a string, a
 * name or a comment ends, beyond what a {@link SqlDialect} says, it gives up: {@link End#DOUBTFUL}.
 */
final class SqlScanner {
    enum End {
        WHOLE,
        /** Within a string, a name or a comment. */
        OPEN,
        DOUBTFUL
    }

    /** Letters that Java and some databases change into ASCII ones with the case. */
    private static final String FALSE_LETTERS = "\u0130\u0131\u017f\u212a";

    /** What ends a line for one database and not for another. */
    private static final String FALSE_LINE_ENDS = "\r\u000b\f\u0085\u2028\u2029";

    /** Prefixes of strings with other rules: Oracle's and BigQuery's. */
    private static final List<String> OTHER_STRINGS = List.of("q", "nq", "r", "rb", "br");

    private final String text;
    private final SqlDialect dialect;
    private final List<List<SqlToken>> statements = new ArrayList<>();
    private List<SqlToken> statement = new ArrayList<>();
    private int at;
    private int bracketEnd = -1;
    private int backtickEnd = -1;
    private int dollarEnd = -1;
    private End end = End.WHOLE;

    SqlScanner(String text, SqlDialect dialect) {
        this.text = text;
        this.dialect = dialect;
    }

    /** How the text ended; after {@link #statements}. */
    End end() {
        return end;
    }

    /** The statements, those without tokens too. To be called once. */
    List<List<SqlToken>> statements() {
        while (at < text.length() && end == End.WHOLE) {
            next(text.charAt(at));
        }
        statements.add(statement);
        return statements;
    }

    private void next(char c) {
        switch (c) {
            case ' ', '\t', '\n' -> at++;
            case '\'' -> string(false);
            case '"' -> name();
            case '`' -> backticks();
            case '[' -> bracket();
            case '{' -> brace();
            case '$' -> dollar();
            case '-' -> dash();
            case '/' -> slash();
            case '#' -> hash();
            case ';' -> {
                statements.add(statement);
                statement = new ArrayList<>();
                at++;
            }
            default -> {
                if (c == '\r' && follows("\n")) {
                    at++;
                } else if (isWordPart(c)) {
                    word();
                } else if (c < ' ' || c == 0x7f || FALSE_LETTERS.indexOf(c) >= 0) {
                    end = End.DOUBTFUL;
                } else if (c < 0x80 || statement.isEmpty()) {
                    sign(c);
                } else {
                    // A letter here, a space there: words end at it in any case.
                    at++;
                }
            }
        }
    }

    private void word() {
        int start = at;
        while (at < text.length() && isWordPart(text.charAt(at))) {
            at++;
        }
        String word = text.substring(start, at).toLowerCase(Locale.ROOT);
        boolean number = Character.isDigit(word.charAt(0));
        boolean quote = at < text.length() && (text.charAt(at) == '\'' || text.charAt(at) == '"');
        boolean escapedName = word.equals("u") && at < text.length() && text.charAt(at) == '&';
        if (escapedName || quote && (number || OTHER_STRINGS.contains(word))) {
            end = End.DOUBTFUL;
            return;
        }
        boolean bracketed = at <= bracketEnd;
        statement.add(new SqlToken(bracketed ? Kind.NAME : number ? Kind.NUMBER : Kind.WORD, word));
        if (word.equals("e") && quote && text.charAt(at) == '\'') {
            string(true);
        }
    }

    /**
     * @param escaping a string of PostgreSQL that begins with {@code e}
     */
    private void string(boolean escaping) {
        int start = at + 1;
        for (at++; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '\\') {
                if (escaping && !dialect.backslash() && quoteAfterBackslashes('\'')) {
                    end = End.DOUBTFUL;
                    return;
                }
                at += dialect.backslash() ? 1 : 0;
            } else if (c == '\'') {
                if (!follows("'")) {
                    tokenUntilHere(Kind.STRING, start);
                    return;
                }
                at++;
            }
        }
        end = End.OPEN;
    }

    private void name() {
        int start = ++at;
        for (; at < text.length(); at++) {
            char c = text.charAt(at);
            if (c == '\\' && quoteAfterBackslashes('"')) {
                end = End.DOUBTFUL;
                return;
            }
            if (c == '"') {
                if (!follows("\"")) {
                    tokenUntilHere(Kind.NAME, start);
                    return;
                }
                at++;
            }
        }
        end = End.OPEN;
    }

    /** Some databases would take this quote for the end, others not. Goes on behind the backslashes where not. */
    private boolean quoteAfterBackslashes(char quote) {
        int start = at;
        while (at < text.length() && text.charAt(at) == '\\') {
            at++;
        }
        boolean odd = (at - start) % 2 == 1 && at < text.length() && text.charAt(at) == quote;
        at--;
        return odd;
    }

    /** A name to MySQL, operators to PostgreSQL: what stands between is scanned. A single word is no keyword. */
    private void backticks() {
        int start = at + 1;
        int close = text.indexOf('`', start);
        if (at == backtickEnd) {
            at++;
        } else if (quiet(start, close)) {
            if (isSingle(start, close)) {
                at = close;
                tokenUntilHere(Kind.NAME, start);
            } else {
                backtickEnd = close;
                sign('`');
            }
        }
    }

    private void tokenUntilHere(Kind kind, int start) {
        statement.add(new SqlToken(kind, text.substring(start, at).toLowerCase(Locale.ROOT)));
        at++;
    }

    /** A name to SQL Server, an element of an array to others: what stands in it is scanned. A single word is no keyword. */
    private void bracket() {
        int close = text.indexOf(']', at + 1);
        if (close >= 0 && close + 1 < text.length() && text.charAt(close + 1) == ']') {
            end = End.DOUBTFUL;
        } else if (quiet(at + 1, close)) {
            bracketEnd = isSingle(at + 1, close) ? close : -1;
            sign('[');
        }
    }

    /** A comment to Informix, to JDBC an escape. */
    private void brace() {
        if (quiet(at + 1, text.indexOf('}', at + 1))) {
            sign('{');
        }
    }

    /** {@code $tag$} begins a string in PostgreSQL; elsewhere it is part of a name. What stands in it is scanned. */
    private void dollar() {
        int tagEnd = at + 1;
        while (tagEnd < text.length() && (isWordPart(text.charAt(tagEnd)) || text.charAt(tagEnd) >= 0x80)) {
            tagEnd++;
        }
        boolean quote = tagEnd < text.length() && text.charAt(tagEnd) == '$';
        if (at == dollarEnd) {
            at = tagEnd + 1;
        } else if (!quote) {
            sign('$');
        } else {
            int close = text.indexOf(text.substring(at, tagEnd + 1), tagEnd + 1);
            if (quiet(tagEnd + 1, close)) {
                dollarEnd = close;
                at = tagEnd + 1;
            }
        }
    }

    private boolean isSingle(int from, int to) {
        return text.substring(from, to).chars().allMatch(c -> isWordPart((char) c) || c >= 0x80);
    }

    /** Whether all databases find the same end, be it quoted or not: no comment and no name begins in it, and all strings end. */
    private boolean quiet(int from, int to) {
        boolean quiet = to >= 0;
        boolean inString = false;
        for (int i = from; i < to && quiet; i++) {
            char c = text.charAt(i);
            char following = text.charAt(i + 1);
            inString ^= c == '\'';
            quiet = "\"`\\;#${[".indexOf(c) < 0 && !(c == '-' && following == '-')
                    && !(c == '/' && (following == '*' || following == '/'));
        }
        if (!quiet || inString) {
            end = End.DOUBTFUL;
            return false;
        }
        return true;
    }

    private void dash() {
        boolean comment = follows("-")
                && !(dialect.dashes() && at + 2 < text.length() && text.charAt(at + 2) > ' ');
        if (comment) {
            skipLine();
        } else {
            sign('-');
        }
    }

    private void hash() {
        if (dialect.hash()) {
            skipLine();
        } else {
            sign('#');
        }
    }

    private void skipLine() {
        int newline = text.indexOf('\n', at);
        int lineEnd = newline < 0 ? text.length() : newline;
        for (; at < lineEnd; at++) {
            boolean crLf = text.charAt(at) == '\r' && at + 1 == newline;
            if (!crLf && FALSE_LINE_ENDS.indexOf(text.charAt(at)) >= 0) {
                end = End.DOUBTFUL;
                return;
            }
        }
    }

    private void slash() {
        if (follows("*")) {
            int close = text.indexOf("*/", at + 2);
            int inner = text.indexOf("/*", at + 2);
            boolean nested = inner >= 0 && inner < close;
            // MySQL and MariaDB run what stands in such a comment.
            boolean code = follows("*!") || text.regionMatches(true, at + 1, "*M!", 0, 3);
            if (close < 0 || nested || code) {
                end = End.DOUBTFUL;
            } else {
                at = close + 2;
            }
        } else if (follows("/")) {
            // A comment to H2 and Snowflake.
            end = End.DOUBTFUL;
        } else {
            sign('/');
        }
    }

    private void sign(char c) {
        statement.add(new SqlToken(Kind.SIGN, String.valueOf(c)));
        at++;
    }

    private boolean follows(String what) {
        return text.startsWith(what, at + 1);
    }

    private static boolean isWordPart(char c) {
        return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_';
    }
}
