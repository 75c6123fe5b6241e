package dev.mirror.snapshot.guard;

import java.util.List;
import java.util.Set;

import dev.mirror.snapshot.guard.SqlToken.Kind;

/** The words that can make a query write or lock, wherever they stand in it: SQL Server needs nothing between two statements. */
final class SqlWords {
    private static final Set<String> WRITES = Set.of("insert", "update", "delete", "merge", "upsert", "replace", "truncate",
            "into", "create", "alter", "drop", "grant", "revoke", "deny", "exec", "execute", "call", "set", "setuser", "revert",
            "lock", "locks", "backup", "restore", "kill", "shutdown", "dbcc", "reconfigure", "writetext", "updatetext",
            "updlock", "xlock", "tablock", "tablockx", "holdlock");

    /** Those that are functions too, with a parenthesis behind them. */
    private static final Set<String> FUNCTIONS_TOO = Set.of("insert", "replace", "truncate");

    private static final Set<String> BEHIND_FOR = Set.of("share", "key", "no");

    private static final Set<String> FUNCTIONS = Set.of(
            // PostgreSQL
            "nextval", "setval", "set_config", "pg_notify", "lowrite", "pg_terminate_backend", "pg_cancel_backend",
            "pg_reload_conf", "pg_rotate_logfile", "pg_switch_wal", "pg_promote", "pg_logical_emit_message",
            "pg_wal_replay_pause", "pg_wal_replay_resume", "pg_export_snapshot", "pg_current_xact_id", "txid_current",
            "gin_clean_pending_list",
            // MySQL and MariaDB
            "get_lock", "release_lock", "release_all_locks", "master_pos_wait", "service_get_write_locks", "sys_exec",
            "sys_eval",
            // others
            "gen_id", "next_value_for", "file_write", "csvwrite", "link_schema", "cancel_session", "abort_session", "load_extension",
            "writefile", "openquery", "openrowset", "opendatasource");

    private static final List<String> FUNCTION_PREFIXES = List.of("pg_advisory", "pg_try_advisory", "pg_stat_reset",
            "pg_create_", "pg_drop_", "pg_replication_", "pg_logical_slot_", "pg_copy_", "pg_file_", "pg_start_backup",
            "pg_stop_backup", "pg_backup_st", "pg_restore_", "pg_clear_", "pg_truncate_", "brin_", "dblink", "dbms_", "utl_",
            "spider_");

    private SqlWords() {}

    static boolean canWrite(List<SqlToken> tokens) {
        for (int i = 0; i < tokens.size(); i++) {
            SqlToken next = i + 1 < tokens.size() ? tokens.get(i + 1) : new SqlToken(Kind.STRING, "");
            if (canWrite(tokens.get(i), next)) {
                return true;
            }
        }
        return false;
    }

    private static boolean canWrite(SqlToken token, SqlToken next) {
        String word = token.text();
        return switch (token.kind()) {
            case WORD -> WRITES.contains(word) && !(FUNCTIONS_TOO.contains(word) && next.isSign("("))
                    || word.equals("for") && isLock(next)
                    || word.equals("next") && next.isWord("value")
                    || isFunction(word, next);
            case NAME -> isFunction(word, next);
            case NUMBER -> WRITES.stream().anyMatch(word::endsWith) || word.endsWith("for") && isLock(next);
            case STRING, SIGN -> false;
        };
    }

    private static boolean isLock(SqlToken behindFor) {
        return behindFor.kind() == Kind.WORD && BEHIND_FOR.contains(behindFor.text());
    }

    private static boolean isFunction(String name, SqlToken next) {
        return FUNCTIONS.contains(name) || FUNCTION_PREFIXES.stream().anyMatch(name::startsWith)
                || name.startsWith("lo_") && next.isSign("(");
    }
}
