package dev.mirror.snapshot.guard;

import java.lang.reflect.Method;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/** Rows can be written through, where they are updatable: each such row is a write. */
final class GuardedRows extends Guarded<ResultSet> {
    /** That gave them; null for rows of a database's metadata, of an array or in a row. */
    private final @Nullable Statement statement;
    private final String what;

    private GuardedRows(JdbcJudge judge, ResultSet raw, Connection connection, @Nullable Statement statement, String what) {
        super(judge, raw, connection);
        this.statement = statement;
        this.what = what;
    }

    static ResultSet of(JdbcJudge judge, ResultSet raw, Connection connection, @Nullable Statement statement, String what) {
        return proxy(ResultSet.class, new GuardedRows(judge, raw, connection, statement, what));
    }

    @Override
    @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        String name = method.getName();
        if (name.equals("updateRow") || name.startsWith("insert") || name.startsWith("delete")) {
            return judge.allows(name + " of " + what) ? pass(proxy, method, args) : null;
        }
        if (name.startsWith("execute")) {
            judge.demand(method.toString());
        }
        return pass(proxy, method, args);
    }

    @Override
    Object shown(Object proxy, Object found) {
        return found instanceof Statement && statement != null ? statement : super.shown(proxy, found);
    }
}
