package dev.mirror.snapshot.guard;

import java.lang.reflect.Method;
import java.sql.Blob;
import java.sql.Clob;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.SQLXML;
import java.sql.Statement;
import java.util.Objects;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Its statements are guarded, and it stays read-only where the guard allows no write at all. */
final class GuardedConnection extends Guarded<Connection> {
    private static final Logger LOG = LoggerFactory.getLogger(GuardedConnection.class);

    private final boolean writable;

    private GuardedConnection(JdbcJudge judge, Connection raw, boolean writable) {
        super(judge, raw, null);
        this.writable = writable;
    }

    /**
     * @param writable whether the guard may allow writes
     */
    static Connection of(JdbcJudge judge, boolean writable, Connection raw) {
        if (!writable) {
            try {
                raw.setReadOnly(true);
            } catch (SQLException | RuntimeException e) {
                LOG.debug("the driver does not make a connection read-only, which is guarded all the same: {}", e.toString());
            }
        }
        return proxy(Connection.class, new GuardedConnection(judge, raw, writable));
    }

    @Override
    @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        String name = method.getName();
        if (name.equals("setReadOnly") && !writable && Boolean.FALSE.equals(args[0])) {
            return null;
        }
        if (name.startsWith("execute")) {
            judge.demand(JdbcJudge.Text.UNKNOWN.what());
        }
        if (name.equals("prepareStatement") || name.equals("prepareCall")) {
            return GuardedStatement.of(
                    judge, (Statement) Objects.requireNonNull(passBare(method, args)), (Connection) proxy, (String) args[0]);
        }
        return pass(proxy, method, args);
    }

    @Override
    Object shown(Object proxy, Object found) {
        // Such a one is new and not in the database yet: it must be filled.
        boolean fresh = found instanceof Blob || found instanceof Clob || found instanceof SQLXML;
        return fresh ? found : super.shown(proxy, found);
    }
}
