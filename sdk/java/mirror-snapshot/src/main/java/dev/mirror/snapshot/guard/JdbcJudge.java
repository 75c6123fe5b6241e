package dev.mirror.snapshot.guard;

import java.sql.SQLException;
import java.sql.SQLNonTransientException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;
import org.jspecify.annotations.Nullable;

/** Knows which statements are writes, and asks the guard about those. */
final class JdbcJudge {
    static final String KIND = "jdbc";

    /**
     * What is known of a statement's text.
     *
     * @param isRead surely
     * @param what it is, without values
     */
    record Text(boolean isRead, String what) {
        static final Text UNKNOWN = new Text(false, "a statement whose text is not known");
    }

    /** "read only sql transaction". */
    private static final String READ_ONLY = "25006";

    private static final int MOST_TEXTS = 1_000;
    private static final int LONGEST_TEXT = 4_000;

    private final WriteGuard guard;
    private final Map<String, Text> known = new ConcurrentHashMap<>();

    JdbcJudge(WriteGuard guard) {
        this.guard = guard;
    }

    /** Whether connections need not be read-only. */
    boolean mayAllow() {
        return guard.mayAllow(KIND);
    }

    Text statement(@Nullable String text) {
        if (text == null) {
            return Text.UNKNOWN;
        }
        Text statement = known.get(text);
        if (statement == null) {
            statement = new Text(Sql.isRead(text), SqlOutline.of(text));
            if (text.length() <= LONGEST_TEXT) {
                if (known.size() >= MOST_TEXTS) {
                    // Texts with values in them, each sent once: nothing is worth being kept.
                    known.clear();
                }
                known.put(text, statement);
            }
        }
        return statement;
    }

    /** How many texts are kept. */
    int kept() {
        return known.size();
    }

    /**
     * Whether to do it.
     *
     * @return false where it is only noted
     * @throws SQLException where it is refused
     */
    boolean allows(String what) throws SQLException {
        Verdict verdict = guard.judge(KIND, what);
        if (verdict != Verdict.ALLOW && verdict != Verdict.RECORD) {
            throw refused(what);
        }
        return verdict == Verdict.ALLOW;
    }

    /** For what cannot be answered unless it is done. */
    void demand(String what) throws SQLException {
        if (!allows(what)) {
            throw refused(what);
        }
    }

    /** For what a write gives that is only noted. */
    static SQLException unknown(String why) {
        return new SQLNonTransientException(why + "; record the write with SnapshotSource.write", READ_ONLY);
    }

    private static SQLException refused(String what) {
        WriteRefusedException refused = WriteRefusedException.of(KIND, what);
        return new SQLNonTransientException(refused.getMessage(), READ_ONLY, refused);
    }
}
