package dev.mirror.snapshot.guard;

import java.lang.reflect.Method;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.JDBCType;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLNonTransientException;
import java.sql.Statement;
import java.sql.Types;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Asks before each execution of what is not a read; of a batch, when a statement is added to it. A write that is only noted
 * changed one row and made no keys.
 */
final class GuardedStatement extends Guarded<Statement> {
    private static final Set<String> LARGE_OBJECT_SETTERS = Set.of("setBlob", "setClob", "setNClob");
    private static final Set<Object> LARGE_OBJECTS = Set.of(Types.BLOB, Types.CLOB, Types.NCLOB, JDBCType.BLOB, JDBCType.CLOB,
            JDBCType.NCLOB);

    /** Of a prepared statement. */
    private final JdbcJudge.Text prepared;
    private final GuardedBatch batch = new GuardedBatch();

    /** What the guard said of the next execution already. */
    private @Nullable Boolean allowed;

    /** The last execution was noted only; then its update count, -1 once that was passed. */
    private boolean recorded;
    private int recordedCount;

    private JdbcJudge.Text last = JdbcJudge.Text.UNKNOWN;

    private GuardedStatement(JdbcJudge judge, Statement raw, Connection connection, JdbcJudge.Text prepared) {
        super(judge, raw, connection);
        this.prepared = prepared;
    }

    /**
     * @param text of a prepared statement; null where there is none, or it is not known
     */
    static Statement of(JdbcJudge judge, Statement raw, Connection connection, @Nullable String text) {
        JdbcJudge.Text prepared = judge.statement(text);
        if (raw instanceof CallableStatement) {
            // Procedures do what they like.
            prepared = new JdbcJudge.Text(false, prepared.what());
        }
        Class<? extends Statement> type = raw instanceof CallableStatement ? CallableStatement.class
                : raw instanceof PreparedStatement ? PreparedStatement.class : Statement.class;
        return proxy(type, new GuardedStatement(judge, raw, connection, prepared));
    }

    @Override
    @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        String name = method.getName();
        return switch (name) {
            case "execute", "executeQuery", "executeUpdate", "executeLargeUpdate" -> execute(proxy, method, args);
            case "addBatch" -> {
                boolean goes = allows(statement(args));
                batch.added(goes);
                yield goes ? pass(proxy, method, args) : null;
            }
            case "clearBatch" -> {
                batch.clear();
                yield pass(proxy, method, args);
            }
            case "executeBatch", "executeLargeBatch" -> executeBatch(method, args);
            case "getUpdateCount" -> recorded ? recordedCount : pass(proxy, method, args);
            case "getLargeUpdateCount" -> recorded ? (long) recordedCount : pass(proxy, method, args);
            case "getResultSet" -> recorded ? null : pass(proxy, method, args);
            case "getMoreResults" -> recorded ? noMoreResults() : pass(proxy, method, args);
            case "getGeneratedKeys" -> recorded ? NoRows.of((Statement) proxy) : pass(proxy, method, args);
            default -> {
                if (name.startsWith("execute") || name.startsWith("addBatch")) {
                    // Of a JDBC to come.
                    judge.demand(method.toString());
                }
                yield isLargeObject(name, args) && !allowsLargeObject() ? null : pass(proxy, method, args);
            }
        };
    }

    private @Nullable Object execute(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        JdbcJudge.Text statement = statement(args);
        last = statement;
        recorded = false;
        recorded = !allows(statement);
        if (!recorded) {
            return pass(proxy, method, args);
        }
        return recorded(method.getReturnType(), statement);
    }

    private Object recorded(Class<?> type, JdbcJudge.Text statement) throws SQLException {
        if (raw.isClosed()) {
            throw new SQLNonTransientException("the statement is closed");
        }
        recordedCount = 1;
        if (type == boolean.class) {
            return false;
        } else if (type == int.class) {
            return 1;
        } else if (type == long.class) {
            return 1L;
        }
        throw JdbcJudge.unknown("a mirror does not do this, so it does not know which rows it gives: " + statement.what());
    }

    private @Nullable Object executeBatch(Method method, @Nullable Object[] args) throws Throwable {
        GuardedBatch.Order order = batch.order();
        recorded = order.recordsAll();
        recordedCount = -1;
        Object counts = recorded ? null : passBare(method, args);
        return order.counts(counts, method.getReturnType());
    }

    /** Whether to do it; what was asked already is not asked again. */
    private boolean allows(JdbcJudge.Text statement) throws SQLException {
        if (allowed == null) {
            return statement.isRead() || judge.allows(statement.what());
        }
        boolean answer = allowed;
        allowed = null;
        return answer;
    }

    /** PostgreSQL's driver writes a large object into the database when it becomes a parameter, before the statement runs. */
    private boolean allowsLargeObject() throws SQLException {
        if (allowed == null) {
            allowed = judge.allows(prepared.what());
        }
        return allowed;
    }

    private static boolean isLargeObject(String name, @Nullable Object[] args) {
        return name.startsWith("set") && args.length > 1 && args[1] != null
                && (LARGE_OBJECT_SETTERS.contains(name) || args[1] instanceof Blob || args[1] instanceof Clob
                        || args.length > 2 && args[2] != null && name.equals("setObject") && LARGE_OBJECTS.contains(args[2]));
    }

    private JdbcJudge.Text statement(@Nullable Object[] args) {
        return args.length > 0 && args[0] instanceof String text ? judge.statement(text) : prepared;
    }

    private boolean noMoreResults() {
        recordedCount = -1;
        return false;
    }

    @Override
    ResultSet rows(Object proxy, Connection owner, ResultSet rows) {
        return GuardedRows.of(judge, rows, owner, (Statement) proxy, last.what());
    }
}
