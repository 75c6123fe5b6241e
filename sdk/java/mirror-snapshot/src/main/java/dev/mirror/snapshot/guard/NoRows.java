package dev.mirror.snapshot.guard;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Method;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.SQLNonTransientException;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/** The keys that a write made which was only noted: none. It asks no database. */
final class NoRows implements InvocationHandler {
    private final Statement statement;
    private boolean closed;

    private NoRows(Statement statement) {
        this.statement = statement;
    }

    static ResultSet of(Statement statement) {
        return Guarded.proxy(ResultSet.class, new NoRows(statement));
    }

    @Override
    public @Nullable Object invoke(Object proxy, Method method, Object[] args) throws SQLException {
        return switch (method.getName()) {
            case "equals" -> proxy == args[0];
            case "hashCode" -> System.identityHashCode(proxy);
            case "toString" -> "no rows";
            case "isWrapperFor" -> ((Class<?>) args[0]).isInstance(proxy);
            case "unwrap" -> {
                if (!((Class<?>) args[0]).isInstance(proxy)) {
                    throw new SQLNonTransientException("this is no " + ((Class<?>) args[0]).getName());
                }
                yield proxy;
            }
            case "close" -> {
                closed = true;
                yield null;
            }
            case "isClosed" -> closed;
            case "next", "previous", "first", "last", "absolute", "relative", "isBeforeFirst", "isAfterLast", "isFirst", "isLast",
                    "rowInserted", "rowUpdated", "rowDeleted" -> false;
            case "beforeFirst", "afterLast", "clearWarnings", "getWarnings", "setFetchSize", "setFetchDirection" -> null;
            case "getRow", "getFetchSize" -> 0;
            case "getFetchDirection" -> ResultSet.FETCH_FORWARD;
            case "getType" -> ResultSet.TYPE_FORWARD_ONLY;
            case "getConcurrency" -> ResultSet.CONCUR_READ_ONLY;
            case "getHoldability" -> ResultSet.CLOSE_CURSORS_AT_COMMIT;
            case "getStatement" -> statement;
            case "getMetaData" -> Guarded.proxy(ResultSetMetaData.class, NoRows::noColumns);
            default -> throw JdbcJudge.unknown("a mirror did not do this write, so it made no keys");
        };
    }

    private static Object noColumns(Object proxy, Method method, Object[] args) throws SQLException {
        return switch (method.getName()) {
            case "equals" -> proxy == args[0];
            case "hashCode" -> System.identityHashCode(proxy);
            case "toString" -> "no columns";
            case "isWrapperFor" -> ((Class<?>) args[0]).isInstance(proxy);
            case "getColumnCount" -> 0;
            default -> throw new SQLNonTransientException("there is no column");
        };
    }
}
