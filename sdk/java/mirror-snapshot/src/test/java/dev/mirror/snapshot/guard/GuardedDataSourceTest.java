package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.sql.Blob;
import java.sql.Connection;
import java.sql.ConnectionBuilder;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.SQLFeatureNotSupportedException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;

import javax.sql.DataSource;
import javax.sql.XADataSource;

import org.h2.jdbc.JdbcConnection;
import org.h2.jdbc.JdbcDatabaseMetaData;
import org.h2.jdbc.JdbcResultSet;
import org.h2.jdbc.JdbcStatement;
import org.h2.jdbcx.JdbcDataSource;
import org.junit.jupiter.api.Test;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;

class GuardedDataSourceTest {
    @Test
    void all_connections_are_guarded() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE)) {
            for (Connection connection : List.of(database.guarded.getConnection(), database.guarded.getConnection("sa", ""))) {
                assertTrue(Proxy.isProxyClass(connection.getClass()));
                assertThrows(SQLException.class, () -> connection.createStatement().execute("delete from item"));
                connection.close();
                assertTrue(connection.isClosed());
            }
        }
    }

    @Test
    void a_built_connection_is_guarded() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE)) {
            assertThrows(SQLFeatureNotSupportedException.class, database.guarded::createConnectionBuilder);
            DataSource building = with(database.raw, "createConnectionBuilder", builder(database.raw));
            ConnectionBuilder builder = new GuardedDataSource(building, database.guard).createConnectionBuilder();
            try (Connection connection = builder.user("sa").password("").shardingKey(null).superShardingKey(null).build()) {
                assertTrue(Proxy.isProxyClass(connection.getClass()));
            }
        }
    }

    @Test
    void what_the_driver_made_is_not_given_out() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection();
                Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery("select name, picture from item")) {
            assertFalse(database.guarded.isWrapperFor(JdbcDataSource.class) || database.guarded.isWrapperFor(XADataSource.class));
            assertThrows(SQLException.class, () -> database.guarded.unwrap(JdbcDataSource.class));
            assertSame(database.guarded, database.guarded.unwrap(DataSource.class));
            assertFalse(connection.isWrapperFor(JdbcConnection.class));
            assertTrue(connection.isWrapperFor(Connection.class));
            SQLException refused = assertThrows(SQLException.class, () -> connection.unwrap(JdbcConnection.class));
            assertTrue(refused.getMessage().contains("org.h2.jdbc.JdbcConnection"), refused.getMessage());
            assertThrows(SQLException.class, () -> statement.unwrap(JdbcStatement.class));
            assertThrows(SQLException.class, () -> rows.unwrap(JdbcResultSet.class));
            assertThrows(SQLException.class, () -> connection.getMetaData().unwrap(JdbcDatabaseMetaData.class));
            assertSame(connection, statement.getConnection());
            assertSame(statement, rows.getStatement());
            assertSame(connection, connection.getMetaData().getConnection());
        }
    }

    @Test
    void equality_is_that_of_the_drivers_objects() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection a = database.guarded.getConnection();
                Connection b = database.guarded.getConnection()) {
            assertEquals(a, a);
            assertEquals(a.hashCode(), a.hashCode());
            assertNotEquals(a, b);
            assertNotEquals(a, null);
            assertNotEquals(a, Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Runnable.class}, (p, m, args) -> null));
            assertTrue(a.toString().startsWith("guarded "), a::toString);
            assertEquals("guarded org.h2.jdbcx.JdbcDataSource", database.guarded.toString());
        }
    }

    @Test
    void connections_are_read_only_unless_the_guard_may_allow() throws SQLException {
        for (Verdict verdict : Verdict.values()) {
            try (GuardedDatabase database = new GuardedDatabase(verdict)) {
                List<String> calls = new ArrayList<>();
                Connection noting = noting(database.raw.getConnection(), calls);
                GuardedDataSource guarded = new GuardedDataSource(with(database.raw, "getConnection", noting), database.guard);
                try (Connection connection = guarded.getConnection()) {
                    connection.setReadOnly(false);
                    connection.setReadOnly(true);
                }
                assertEquals(verdict == Verdict.ALLOW ? List.of("setReadOnly false", "setReadOnly true")
                        : List.of("setReadOnly true", "setReadOnly true"), calls);
                assertEquals(List.of(), database.guard.asked);
            }
        }
    }

    @Test
    void a_driver_that_cannot_be_read_only_is_guarded_all_the_same() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE)) {
            Connection failing = (Connection) Proxy.newProxyInstance(getClass().getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, args) -> {
                throw new SQLFeatureNotSupportedException();
            });
            Connection connection = new GuardedDataSource(with(database.raw, "getConnection", failing), database.guard).getConnection();
            assertTrue(Proxy.isProxyClass(connection.getClass()));
            assertThrows(SQLFeatureNotSupportedException.class, connection::close);
        }
    }

    @Test
    void a_recorded_write_changed_one_row_and_made_no_keys() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection();
                PreparedStatement insert = connection.prepareStatement("insert into item (name) values (?)", Statement.RETURN_GENERATED_KEYS)) {
            insert.setString(1, "new");
            assertFalse(insert.execute());
            assertEquals(1, insert.getUpdateCount());
            assertEquals(1L, insert.getLargeUpdateCount());
            assertNull(insert.getResultSet());
            try (ResultSet keys = insert.getGeneratedKeys()) {
                assertFalse(keys.next());
                assertEquals(0, keys.getMetaData().getColumnCount());
                assertSame(insert, keys.getStatement());
                assertThrows(SQLException.class, () -> keys.getLong(1));
                assertFalse(keys.isClosed());
                keys.close();
                assertTrue(keys.isClosed());
            }
            assertFalse(insert.getMoreResults());
            assertEquals(-1, insert.getUpdateCount());
            insert.close();
            assertThrows(SQLException.class, insert::executeUpdate);
        }
    }

    @Test
    void a_statement_that_recorded_a_write_reads_again() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection();
                Statement statement = connection.createStatement()) {
            assertFalse(statement.execute("delete from item"));
            assertTrue(statement.execute("select 1"));
            assertTrue(statement.getResultSet().next());
            assertEquals(-1, statement.getUpdateCount());
        }
    }

    @Test
    void rows_of_a_recorded_write_are_not_made_up() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection();
                Statement statement = connection.createStatement()) {
            SQLException failed = assertThrows(SQLException.class, () -> statement.executeQuery("select * from item where id = 5 for update"));
            assertTrue(failed.getMessage().contains("SnapshotSource.write"), failed.getMessage());
            assertEquals(List.of("jdbc: select * from item where id = ? for update"), database.guard.asked);
        }
    }

    @Test
    void a_recorded_batch_has_its_size() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection();
                PreparedStatement insert = connection.prepareStatement("insert into item (name) values (?)")) {
            List<String> before = database.content();
            for (int size : List.of(1, 3, 100)) {
                for (int i = 0; i < size; i++) {
                    insert.setString(1, "new");
                    insert.addBatch();
                }
                assertEquals("1".repeat(size), size == 3 ? joined(insert.executeLargeBatch()) : joined(widened(insert.executeBatch())));
                assertFalse(insert.getGeneratedKeys().next());
                assertEquals(-1, insert.getUpdateCount());
            }
            assertEquals(104, database.guard.asked.size());
            insert.addBatch();
            insert.clearBatch();
            assertEquals(0, insert.executeBatch().length);
            assertEquals(before, database.content());
        }
    }

    @Test
    void a_batch_can_be_allowed_in_part() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.ALLOW)) {
            WriteGuard guard = (kind, what) -> what.startsWith("update") ? Verdict.ALLOW : what.startsWith("delete") ? Verdict.RECORD : Verdict.REFUSE;
            try (Connection connection = new GuardedDataSource(database.raw, guard).getConnection(); Statement statement = connection.createStatement()) {
                statement.addBatch("delete from item");
                statement.addBatch("update item set name = 'x'");
                assertThrows(SQLException.class, () -> statement.addBatch("drop table item"));
                statement.addBatch("delete from item");
                statement.addBatch("update item set name = 'y' where id = 1");
                assertArrayEquals(new int[] {1, 3, 1, 1}, statement.executeBatch());
            }
            assertEquals(List.of("ITEM", "1 y 01", "2 x 02", "3 x null"), database.content());
        }
    }

    @Test
    void a_large_object_of_a_row_is_not_written_into() throws SQLException {
        for (Verdict verdict : List.of(Verdict.REFUSE, Verdict.RECORD)) {
            try (GuardedDatabase database = new GuardedDatabase(verdict); Connection connection = database.guarded.getConnection();
                    ResultSet rows = connection.createStatement().executeQuery("select picture, name from item")) {
                rows.next();
                Blob blob = rows.getBlob(1);
                if (verdict == Verdict.REFUSE) {
                    assertThrows(SQLException.class, () -> blob.setBytes(1, new byte[] {5}));
                    assertThrows(SQLException.class, () -> blob.truncate(0));
                    assertThrows(SQLException.class, () -> rows.getClob(2).setString(1, "x"));
                    assertEquals(List.of("jdbc: Blob.setBytes", "jdbc: Blob.truncate", "jdbc: Clob.setString"), database.guard.asked);
                } else {
                    assertEquals(2, blob.setBytes(1, new byte[] {5, 6}));
                    assertEquals(1, blob.setBytes(1, new byte[] {5, 6}, 1, 1));
                    assertEquals(1, rows.getClob(2).setString(1, "x"));
                    assertEquals(3, rows.getClob(2).setString(1, "wxyz", 1, 3));
                    assertDoesNothing(blob);
                }
            }
        }
    }

    private static void assertDoesNothing(Blob blob) throws SQLException {
        blob.truncate(0);
        try (OutputStream out = blob.setBinaryStream(1)) {
            out.write(1);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        assertArrayEquals(new byte[] {1}, blob.getBytes(1, 5));
    }

    @Test
    void a_guard_that_fails_lets_nothing_pass() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.ALLOW)) {
            List<String> before = database.content();
            WriteGuard failing = (kind, what) -> {
                throw new IllegalStateException();
            };
            WriteGuard silent = (kind, what) -> null;
            try (Connection failed = new GuardedDataSource(database.raw, failing).getConnection();
                    Connection refused = new GuardedDataSource(database.raw, silent).getConnection()) {
                assertThrows(IllegalStateException.class, () -> failed.createStatement().execute("delete from item"));
                assertThrows(SQLException.class, () -> refused.createStatement().execute("delete from item"));
            }
            assertEquals(before, database.content());
        }
    }

    @Test
    void values_in_a_text_do_not_show() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection()) {
            SQLException refused = assertThrows(SQLException.class,
                    () -> connection.createStatement().execute("update item set name = 'secret' where id = 4711"));
            assertEquals("a mirror does not write: update item set name = ? where id = ?; record the write with SnapshotSource.write,"
                    + " or set mirror.snapshot.guard.jdbc", refused.getMessage());
            assertEquals(List.of("jdbc: update item set name = ? where id = ?"), database.guard.asked);
        }
    }

    private static String joined(long[] counts) {
        StringBuilder joined = new StringBuilder();
        for (long count : counts) {
            joined.append(count);
        }
        return joined.toString();
    }

    private static long[] widened(int[] counts) {
        long[] wide = new long[counts.length];
        for (int i = 0; i < counts.length; i++) {
            wide[i] = counts[i];
        }
        return wide;
    }

    /** A data source whose one method answers something else. */
    private static DataSource with(DataSource raw, String name, Object answer) {
        return (DataSource) Proxy.newProxyInstance(DataSource.class.getClassLoader(), new Class<?>[] {DataSource.class},
                (proxy, method, args) -> method.getName().equals(name) ? answer : method.invoke(raw, args));
    }

    private static ConnectionBuilder builder(DataSource raw) {
        return (ConnectionBuilder) Proxy.newProxyInstance(DataSource.class.getClassLoader(), new Class<?>[] {ConnectionBuilder.class},
                (proxy, method, args) -> method.getName().equals("build") ? raw.getConnection() : proxy);
    }

    private static Connection noting(Connection raw, List<String> calls) {
        return (Connection) Proxy.newProxyInstance(DataSource.class.getClassLoader(), new Class<?>[] {Connection.class}, (proxy, method, args) -> {
            if (method.getName().equals("setReadOnly")) {
                calls.add("setReadOnly " + args[0]);
            }
            try {
                return method.invoke(raw, args);
            } catch (InvocationTargetException e) {
                throw e.getTargetException();
            }
        });
    }
}
