package dev.mirror.snapshot.guard;

import java.io.PrintWriter;
import java.sql.Connection;
import java.sql.ConnectionBuilder;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.SQLNonTransientException;
import java.sql.ShardingKey;
import java.sql.ShardingKeyBuilder;
import java.util.Objects;
import java.util.logging.Logger;

import javax.sql.DataSource;

/**
 * Keeps a service from writing over JDBC where its {@link WriteGuard} does not allow it. Reads pass untouched.
 *
 * <p><b>What is a write.</b> Every statement that is not surely a read in all known databases: those that change or lock
 * something ({@code SELECT … FOR UPDATE}), procedure calls, statements that are not known, and texts that databases take
 * apart differently. Besides, updated rows of a result, and large objects that are written into or become a parameter.
 *
 * <p><b>What becomes of it.</b> The guard is asked once for each execution, and for each statement of a batch when it is added.
 * <ul>
 * <li>Refused: an {@link SQLException} with the state {@code 25006} and a {@link WriteRefusedException} as its cause.
 * <li>Only noted: the driver is not asked. One row was changed, no keys were generated. A write that gives rows
 * ({@code executeQuery} of an {@code INSERT … RETURNING}) fails, since the rows are not known.
 * <li>Allowed: it passes.
 * </ul>
 *
 * <p><b>What it cannot see.</b> A function of the database that writes when a SELECT calls it. Against it connections are
 * read-only besides, where {@link WriteGuard#mayAllow} says that no write is allowed anyway, and the service cannot change
 * that. Then MySQL refuses; PostgreSQL does within transactions, and outside of them if its driver's property
 * {@code readOnlyMode} is {@code always}; H2 and Oracle do not. A user of the database that may only read is the surest.
 * Structured types are handed out as the driver made them.
 *
 * <p><b>What it does not give out.</b> Objects of the driver: {@code unwrap} finds JDBC's interfaces only. Connections stay
 * read-only when they go back to a pool that does not reset them.
 */
public final class GuardedDataSource implements DataSource {
    private final DataSource raw;
    private final JdbcJudge judge;

    /**
     * @param dataSource whose connections are guarded; still writes where it is used itself
     * @param guard asked with the kind {@code jdbc}, from any thread
     */
    public GuardedDataSource(DataSource dataSource, WriteGuard guard) {
        this.raw = Objects.requireNonNull(dataSource, "dataSource");
        this.judge = new JdbcJudge(Objects.requireNonNull(guard, "guard"));
    }

    @Override
    public Connection getConnection() throws SQLException {
        return GuardedConnection.of(judge, judge.mayAllow(), raw.getConnection());
    }

    @Override
    public Connection getConnection(String user, String password) throws SQLException {
        return GuardedConnection.of(judge, judge.mayAllow(), raw.getConnection(user, password));
    }

    @Override
    public ConnectionBuilder createConnectionBuilder() throws SQLException {
        return new Builder(judge, raw.createConnectionBuilder());
    }

    @Override
    public ShardingKeyBuilder createShardingKeyBuilder() throws SQLException {
        return raw.createShardingKeyBuilder();
    }

    @Override
    public PrintWriter getLogWriter() throws SQLException {
        return raw.getLogWriter();
    }

    @Override
    public void setLogWriter(PrintWriter out) throws SQLException {
        raw.setLogWriter(out);
    }

    @Override
    public void setLoginTimeout(int seconds) throws SQLException {
        raw.setLoginTimeout(seconds);
    }

    @Override
    public int getLoginTimeout() throws SQLException {
        return raw.getLoginTimeout();
    }

    @Override
    public Logger getParentLogger() throws SQLFeatureNotSupportedException {
        return raw.getParentLogger();
    }

    @Override
    public boolean isWrapperFor(Class<?> type) {
        return type.isInstance(this);
    }

    @Override
    public <T> T unwrap(Class<T> type) throws SQLException {
        if (!type.isInstance(this)) {
            throw new SQLNonTransientException("a mirror's data source is guarded and does not give out " + type.getName()
                    + ", which could write; use the data source that was guarded");
        }
        return type.cast(this);
    }

    @Override
    public String toString() {
        return "guarded " + raw.getClass().getName();
    }

    private record Builder(JdbcJudge judge, ConnectionBuilder raw) implements ConnectionBuilder {
        @Override
        public ConnectionBuilder user(String user) {
            raw.user(user);
            return this;
        }

        @Override
        public ConnectionBuilder password(String password) {
            raw.password(password);
            return this;
        }

        @Override
        public ConnectionBuilder shardingKey(ShardingKey key) {
            raw.shardingKey(key);
            return this;
        }

        @Override
        public ConnectionBuilder superShardingKey(ShardingKey key) {
            raw.superShardingKey(key);
            return this;
        }

        @Override
        public Connection build() throws SQLException {
            return GuardedConnection.of(judge, judge.mayAllow(), raw.build());
        }
    }
}
