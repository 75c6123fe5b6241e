package dev.mirror.snapshot.guard;

import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Array;
import java.sql.Blob;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.NClob;
import java.sql.ResultSet;
import java.sql.Ref;
import java.sql.SQLException;
import java.sql.SQLNonTransientException;
import java.sql.SQLXML;
import java.sql.Statement;
import org.jspecify.annotations.Nullable;

/**
 * Stands before an object of a driver, as a proxy of its JDBC interface, so that methods of every JDBC version pass. All
 * that leads back to the database is handed out guarded, and the driver's own object never.
 */
abstract class Guarded<T> implements InvocationHandler {
    final JdbcJudge judge;
    final T raw;
    private final @Nullable Connection connection;

    /**
     * @param connection the guarded one that this belongs to; null where this is it
     */
    Guarded(JdbcJudge judge, T raw, @Nullable Connection connection) {
        this.judge = judge;
        this.raw = raw;
        this.connection = connection;
    }

    @Override
    public final @Nullable Object invoke(Object proxy, Method method, @Nullable Object @Nullable [] given) throws Throwable {
        @Nullable Object[] args = given == null ? new Object[0] : given;
        return switch (method.getName()) {
            case "equals" -> args[0] != null && Proxy.isProxyClass(args[0].getClass())
                    && Proxy.getInvocationHandler(args[0]) instanceof Guarded<?> other && raw.equals(other.raw);
            case "hashCode" -> raw.hashCode();
            case "toString" -> "guarded " + raw;
            case "isWrapperFor" -> ((Class<?>) args[0]).isInstance(proxy);
            case "unwrap" -> unwrapped(proxy, (Class<?>) args[0]);
            default -> answer(proxy, method, args);
        };
    }

    abstract @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable;

    /** What the driver answers, guarded. */
    final @Nullable Object pass(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        Object found = passBare(method, args);
        Class<?> type = method.getReturnType();
        if (found == null || type.isPrimitive() || type == String.class) {
            return found;
        }
        Object shown = shown(proxy, found);
        if (shown != found && args.length > 0 && args[args.length - 1] instanceof Class<?> wanted && !wanted.isInstance(shown)) {
            throw new SQLNonTransientException(leak(wanted));
        }
        return shown;
    }

    final @Nullable Object passBare(Method method, @Nullable Object[] args) throws Throwable {
        for (int i = 0; i < args.length; i++) {
            if (args[i] instanceof Proxy && Proxy.getInvocationHandler(args[i]) instanceof Guarded<?> guarded) {
                // An array or a large object that becomes a parameter: drivers know their own only.
                args[i] = guarded.raw;
            }
        }
        try {
            return method.invoke(raw, args);
        } catch (InvocationTargetException e) {
            throw e.getTargetException();
        }
    }

    /** An object of the driver as the service gets to see it. */
    Object shown(Object proxy, Object found) {
        Connection owner = connection == null ? (Connection) proxy : connection;
        if (found instanceof ResultSet rows) {
            return rows(proxy, owner, rows);
        } else if (found instanceof Connection) {
            return owner;
        } else if (found instanceof Statement statement) {
            return GuardedStatement.of(judge, statement, owner, null);
        } else if (found instanceof DatabaseMetaData data) {
            return proxy(DatabaseMetaData.class, new PassGuarded<>(judge, data, owner));
        } else if (found instanceof Array array) {
            return proxy(Array.class, new PassGuarded<>(judge, array, owner));
        } else if (found instanceof NClob clob) {
            return proxy(NClob.class, new GuardedLocator(judge, clob, owner));
        } else if (found instanceof Clob clob) {
            return proxy(Clob.class, new GuardedLocator(judge, clob, owner));
        } else if (found instanceof Blob blob) {
            return proxy(Blob.class, new GuardedLocator(judge, blob, owner));
        } else if (found instanceof SQLXML xml) {
            return proxy(SQLXML.class, new GuardedLocator(judge, xml, owner));
        } else if (found instanceof Ref ref) {
            return proxy(Ref.class, new GuardedLocator(judge, ref, owner));
        }
        return found;
    }

    ResultSet rows(Object proxy, Connection owner, ResultSet rows) {
        return GuardedRows.of(judge, rows, owner, null, JdbcJudge.Text.UNKNOWN.what());
    }

    static <P> P proxy(Class<P> type, InvocationHandler handler) {
        return type.cast(Proxy.newProxyInstance(Guarded.class.getClassLoader(), new Class<?>[] {type}, handler));
    }

    private static Object unwrapped(Object proxy, Class<?> wanted) throws SQLException {
        if (!wanted.isInstance(proxy)) {
            throw new SQLNonTransientException(leak(wanted));
        }
        return proxy;
    }

    private static String leak(Class<?> wanted) {
        return "a mirror's connections are guarded and do not give out " + wanted.getName()
                + ", which could write; use what JDBC has for it, or set mirror.snapshot.guard.jdbc";
    }
}
