package dev.mirror.snapshot.guard;

import java.util.List;
import java.util.Set;

import dev.mirror.snapshot.guard.SqlToken.Kind;

/** Whether one statement, taken apart, is a read or as harmless as one. */
final class SqlReads {
    private static final Set<String> QUERIES = Set.of("select", "with", "values", "table");

    /** What may stand behind BEGIN, START and SET TRANSACTION; not READ WRITE. */
    private static final Set<String> TRANSACTION_MODES = Set.of("work", "transaction", "tran", "isolation", "level", "read",
            "committed", "uncommitted", "repeatable", "serializable", "snapshot", "only", "not", "deferrable", "with",
            "consistent");

    /** Not COMMIT PREPARED, which ends another connection's transaction. */
    private static final Set<String> TRANSACTION_ENDS = Set.of("work", "transaction", "tran", "and", "no", "chain");

    /** Settings of a session that neither make it writable nor change how a text is taken apart. */
    private static final Set<String> SETTINGS = Set.of("search_path", "schema", "current_schema", "time_zone",
            "timezone", "datestyle", "intervalstyle", "client_min_messages", "extra_float_digits",
            "application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout",
            "max_execution_time", "autocommit", "nocount");

    private SqlReads() {}

    static boolean isRead(List<SqlToken> statement) {
        int first = 0;
        while (first < statement.size() && statement.get(first).isSign("(")) {
            first++;
        }
        if (first == statement.size()) {
            return first == 0;
        }
        SqlToken lead = statement.get(first);
        List<SqlToken> rest = statement.subList(first + 1, statement.size());
        if (lead.kind() != Kind.WORD) {
            return false;
        }
        if (QUERIES.contains(lead.text())) {
            return !SqlWords.canWrite(rest);
        }
        return first == 0 && switch (lead.text()) {
            case "show" -> isShow(rest);
            case "explain", "describe", "desc" -> isExplain(rest);
            case "begin" -> all(rest, TRANSACTION_MODES);
            case "start" -> starts(rest, "transaction") && all(rest, TRANSACTION_MODES);
            case "commit" -> all(rest, TRANSACTION_ENDS);
            case "rollback" -> isRollback(rest);
            case "savepoint" -> isName(rest);
            case "release" -> isName(starts(rest, "savepoint") ? rest.subList(1, rest.size()) : rest);
            case "set" -> isSet(rest);
            default -> false;
        };
    }

    private static boolean isShow(List<SqlToken> rest) {
        return !SqlWords.canWrite(starts(rest, "create") ? rest.subList(1, rest.size()) : rest);
    }

    /** Of a read: some databases keep the plan in a table ({@code EXPLAIN PLAN FOR}), and ANALYZE runs the statement. */
    private static boolean isExplain(List<SqlToken> rest) {
        SqlToken before = null;
        for (SqlToken token : rest) {
            if (token.kind() == Kind.WORD && QUERIES.contains(token.text())) {
                break;
            }
            if (token.isWord("for") || token.isWord("plan") && (before == null || !before.isWord("query"))) {
                return false;
            }
            before = token;
        }
        return rest.stream().noneMatch(token -> token.text().equals("analyze") || token.text().equals("analyse"))
                && !SqlWords.canWrite(rest);
    }

    private static boolean isRollback(List<SqlToken> rest) {
        for (int i = 0; i < rest.size(); i++) {
            if (rest.get(i).isWord("to")) {
                List<SqlToken> point = rest.subList(i + 1, rest.size());
                return all(rest.subList(0, i), TRANSACTION_ENDS)
                        && isName(starts(point, "savepoint") ? point.subList(1, point.size()) : point);
            }
        }
        return all(rest, TRANSACTION_ENDS);
    }

    private static boolean isSet(List<SqlToken> rest) {
        List<SqlToken> setting = starts(rest, "session") || starts(rest, "local") ? rest.subList(1, rest.size()) : rest;
        if (starts(setting, "transaction")) {
            return all(setting, TRANSACTION_MODES);
        }
        if (starts(setting, "characteristics", "as", "transaction")) {
            return all(setting.subList(2, setting.size()), TRANSACTION_MODES);
        }
        if (starts(setting, "time", "zone") || starts(setting, "current", "schema")) {
            return isValue(setting.subList(2, setting.size()), false);
        }
        if (starts(setting, "names")) {
            // Another encoding than the driver's could move the end of a string.
            return setting.size() > 1 && setting.get(1).text().startsWith("utf8")
                    && isValue(setting.subList(1, setting.size()), false);
        }
        return !setting.isEmpty() && setting.get(0).kind() == Kind.WORD && SETTINGS.contains(setting.get(0).text())
                && isValue(setting.subList(1, setting.size()), starts(setting, "search_path"));
    }

    /** One value without functions; a list could hold a second setting. */
    private static boolean isValue(List<SqlToken> value, boolean list) {
        return value.stream().noneMatch(token -> token.isWord("transaction") || token.isWord("global"))
                && value.stream().filter(token -> token.isSign("=")).count() <= 1
                && value.stream().filter(token -> token.kind() == Kind.SIGN)
                        .allMatch(sign -> (list ? "=-+.:," : "=-+.:").contains(sign.text()))
                && !SqlWords.canWrite(value);
    }

    private static boolean isName(List<SqlToken> name) {
        return name.size() == 1 && (name.get(0).kind() == Kind.WORD || name.get(0).kind() == Kind.NAME)
                && !SqlWords.canWrite(name);
    }

    private static boolean all(List<SqlToken> tokens, Set<String> words) {
        return tokens.stream().allMatch(token -> token.isSign(",") || token.kind() == Kind.WORD && words.contains(token.text()));
    }

    private static boolean starts(List<SqlToken> tokens, String... words) {
        for (int i = 0; i < words.length; i++) {
            if (i >= tokens.size() || !tokens.get(i).isWord(words[i])) {
                return false;
            }
        }
        return true;
    }
}
