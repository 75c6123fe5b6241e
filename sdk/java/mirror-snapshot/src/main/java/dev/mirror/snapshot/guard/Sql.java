package dev.mirror.snapshot.guard;

import java.util.List;

/**
 * Is a statement's text a read? Not knowing the database, it says yes only where every one that is known would read it so:
 * what is in doubt is a write.
 *
 * <p>Reads are: SELECT, WITH, VALUES and TABLE without a word that writes or locks; SHOW, DESCRIBE, and EXPLAIN of a read
 * without ANALYZE. Not reads, but as harmless: what begins and ends transactions, a few settings of a session, and nothing
 * at all.
 *
 * <p>A function of the database can write too. Those that are known to are found by name, a service's own are not: against
 * them stands only that connections are handed out read-only.
 */
final class Sql {
    private Sql() {}

    static boolean isRead(String text) {
        // A quote at a string's edge, or a string in three quotes (BigQuery).
        if (text.indexOf('\0') >= 0 || text.contains("'''") || text.contains("\"\"\"")) {
            return false;
        }
        boolean whole = false;
        for (SqlDialect dialect : SqlDialect.of(text)) {
            SqlScanner scanner = new SqlScanner(text, dialect);
            List<List<SqlToken>> statements = scanner.statements();
            if (scanner.end() == SqlScanner.End.DOUBTFUL || !statements.stream().allMatch(SqlReads::isRead)) {
                return false;
            }
            // Where the text ends within a string, databases of this dialect refuse it: it must make sense in one of them.
            whole |= scanner.end() == SqlScanner.End.WHOLE;
        }
        return whole;
    }
}
