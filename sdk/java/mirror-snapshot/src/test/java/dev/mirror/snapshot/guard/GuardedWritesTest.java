package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.sql.Blob;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;

/** Each way in which JDBC can write. */
class GuardedWritesTest {
    private static final String INSERT = "insert into item (name) values ('new')";
    private static final String INSERT_ONE = "insert into item (name) values (?)";
    private static final String[] KEY = {"ID"};
    private static final int[] FIRST = {1};
    private static final int KEYS = Statement.RETURN_GENERATED_KEYS;
    private static final int SCROLLS = ResultSet.TYPE_SCROLL_INSENSITIVE;
    private static final int UPDATABLE = ResultSet.CONCUR_UPDATABLE;
    private static final int HOLDS = ResultSet.HOLD_CURSORS_OVER_COMMIT;

    private interface Act {
        Object on(Connection connection) throws SQLException;
    }

    private interface OnStatement {
        Object on(Statement statement) throws SQLException;
    }

    private interface OnPrepared {
        Object on(PreparedStatement statement) throws SQLException;
    }

    private interface OnRows {
        void on(ResultSet rows) throws SQLException;
    }

    /**
     * @param recorded what it answers where it is only noted
     */
    private record Way(String name, Object recorded, Act act) {}

    private static List<Way> ways() {
        List<Way> ways = new ArrayList<>();
        statement(ways, "execute", false, s -> s.execute(INSERT));
        statement(ways, "execute, keys", false, s -> s.execute(INSERT, KEYS));
        statement(ways, "execute, key columns", false, s -> s.execute(INSERT, FIRST));
        statement(ways, "execute, key names", false, s -> s.execute(INSERT, KEY));
        statement(ways, "executeUpdate", 1, s -> s.executeUpdate(INSERT));
        statement(ways, "executeUpdate, keys", 1, s -> s.executeUpdate(INSERT, KEYS));
        statement(ways, "executeUpdate, key columns", 1, s -> s.executeUpdate(INSERT, FIRST));
        statement(ways, "executeUpdate, key names", 1, s -> s.executeUpdate(INSERT, KEY));
        statement(ways, "executeLargeUpdate", 1L, s -> s.executeLargeUpdate(INSERT));
        statement(ways, "executeLargeUpdate, keys", 1L, s -> s.executeLargeUpdate(INSERT, KEYS));
        statement(ways, "executeLargeUpdate, key columns", 1L, s -> s.executeLargeUpdate(INSERT, FIRST));
        statement(ways, "executeLargeUpdate, key names", 1L, s -> s.executeLargeUpdate(INSERT, KEY));
        statement(ways, "a batch", "[1]", s -> batched(s, INSERT));
        statement(ways, "several statements", false, s -> s.execute("select 1; " + INSERT + "; delete from item where id = 1"));
        statement(ways, "behind a comment", 1, s -> s.executeUpdate("/* select */ -- it's\n " + INSERT));
        statement(ways, "a table", false, s -> s.execute("create table more (a int)"));
        statement(ways, "a call", false, s -> s.execute("call bump()"));
        statement(ways, "its connection", 1, s -> s.getConnection().createStatement().executeUpdate(INSERT));
        prepared(ways, "prepared execute", false, s -> s.execute());
        prepared(ways, "prepared executeUpdate", 1, s -> s.executeUpdate());
        prepared(ways, "prepared executeLargeUpdate", 1L, s -> s.executeLargeUpdate());
        prepared(ways, "a prepared batch", "[1]", s -> {
            s.addBatch();
            return List.of(s.executeBatch()[0]).toString();
        });
        way(ways, "prepared, keys", 1, c -> update(c.prepareStatement(INSERT_ONE, KEYS)));
        way(ways, "prepared, key columns", 1, c -> update(c.prepareStatement(INSERT_ONE, FIRST)));
        way(ways, "prepared, key names", 1, c -> update(c.prepareStatement(INSERT_ONE, KEY)));
        way(ways, "prepared, updatable", 1, c -> update(c.prepareStatement(INSERT_ONE, SCROLLS, UPDATABLE)));
        way(ways, "prepared, held", 1, c -> update(c.prepareStatement(INSERT_ONE, SCROLLS, UPDATABLE, HOLDS)));
        way(ways, "prepared, one row changed twice", 1, c -> c.prepareStatement("merge into item (id, name) key (id) values (1, 'x')").executeUpdate());
        way(ways, "a large object as parameter", 1, c -> {
            PreparedStatement s = c.prepareStatement("update item set picture = ? where id = 1");
            s.setBlob(1, new ByteArrayInputStream(new byte[] {9}));
            return s.executeUpdate();
        });
        way(ways, "called", false, c -> c.prepareCall("call bump()").execute());
        way(ways, "called, updatable", false, c -> c.prepareCall("{call bump()}", SCROLLS, UPDATABLE).execute());
        way(ways, "called, held", 1, c -> c.prepareCall(INSERT, SCROLLS, UPDATABLE, HOLDS).executeUpdate());
        way(ways, "createStatement, updatable", 1, c -> c.createStatement(SCROLLS, UPDATABLE).executeUpdate(INSERT));
        way(ways, "createStatement, held", 1, c -> c.createStatement(SCROLLS, UPDATABLE, HOLDS).executeUpdate(INSERT));
        way(ways, "not read-only any more", 1, c -> {
            c.setReadOnly(false);
            return c.createStatement().executeUpdate(INSERT);
        });
        way(ways, "the metadata's connection", 1, c -> c.getMetaData().getConnection().createStatement().executeUpdate(INSERT));
        way(ways, "unwrapped connection", 1, c -> c.unwrap(Connection.class).createStatement().executeUpdate(INSERT));
        way(ways, "unwrapped statement", 1, c -> c.createStatement().unwrap(Statement.class).executeUpdate(INSERT));
        way(ways, "the rows' statement", 1, c -> rows(c).getStatement().executeUpdate(INSERT));
        way(ways, "the rows' connection", 1, c -> rows(c).getStatement().getConnection().createStatement().executeUpdate(INSERT));
        way(ways, "the keys' connection", 1, c -> {
            Statement s = c.createStatement();
            return s.getGeneratedKeys().getStatement().getConnection().createStatement().executeUpdate(INSERT);
        });
        row(ways, "insertRow", rows -> {
            rows.moveToInsertRow();
            rows.updateString("NAME", "new");
            rows.insertRow();
        });
        row(ways, "updateRow", rows -> {
            rows.updateString("NAME", "new");
            rows.updateRow();
        });
        row(ways, "deleteRow", ResultSet::deleteRow);
        return ways;
    }

    @Test
    void a_refused_write_is_not_done() throws SQLException {
        for (Way way : ways()) {
            try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection()) {
                List<String> before = database.content();
                SQLException refused = assertThrows(SQLException.class, () -> way.act.on(connection), way.name);
                assertEquals("25006", refused.getSQLState(), way.name);
                assertInstanceOf(WriteRefusedException.class, refused.getCause(), way.name);
                assertTrue(refused.getMessage().startsWith("a mirror does not write: "), refused.getMessage());
                assertTrue(refused.getMessage().endsWith("SnapshotSource.write, or set mirror.snapshot.guard.jdbc"), refused.getMessage());
                assertEquals(1, database.guard.asked.size(), way.name + ": " + database.guard.asked);
                assertEquals(before, database.content(), way.name);
            }
        }
    }

    @Test
    void a_recorded_write_is_answered_and_not_done() throws SQLException {
        for (Way way : ways()) {
            try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection()) {
                List<String> before = database.content();
                assertEquals(way.recorded, way.act.on(connection), way.name);
                assertEquals(1, database.guard.asked.size(), way.name + ": " + database.guard.asked);
                assertEquals(before, database.content(), way.name);
            }
        }
    }

    @Test
    void an_allowed_write_is_done() throws SQLException {
        for (Way way : ways()) {
            try (GuardedDatabase database = new GuardedDatabase(Verdict.ALLOW); Connection connection = database.guarded.getConnection()) {
                List<String> before = database.content();
                way.act.on(connection);
                assertEquals(1, database.guard.asked.size(), way.name + ": " + database.guard.asked);
                assertNotEquals(before, database.content(), way.name);
            }
        }
    }

    @Test
    void a_refused_large_object_does_not_reach_the_driver() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection();
                PreparedStatement insert = connection.prepareStatement("insert into item (picture) values (?)");
                PreparedStatement select = connection.prepareStatement("select 1 from item where picture = ?")) {
            Blob blob = connection.createBlob();
            blob.setBytes(1, new byte[] {1});
            for (PreparedStatement statement : List.of(insert, select)) {
                assertThrows(SQLException.class, () -> statement.setBlob(1, blob));
                assertThrows(SQLException.class, () -> statement.setObject(1, blob));
                assertThrows(SQLException.class, () -> statement.setObject(1, new byte[1], Types.BLOB));
                assertThrows(SQLException.class, () -> statement.setClob(1, new StringReader("x")));
            }
            assertEquals(8, database.guard.asked.size());
            select.setBytes(1, new byte[] {1});
            select.setObject(1, null, Types.BLOB);
            assertEquals(8, database.guard.asked.size());
        }
    }

    private static void way(List<Way> ways, String name, Object recorded, Act act) {
        ways.add(new Way(name, recorded, act));
    }

    private static void statement(List<Way> ways, String name, Object recorded, OnStatement act) {
        way(ways, name, recorded, c -> {
            try (Statement statement = c.createStatement()) {
                return act.on(statement);
            }
        });
    }

    private static void prepared(List<Way> ways, String name, Object recorded, OnPrepared act) {
        way(ways, name, recorded, c -> {
            try (PreparedStatement statement = c.prepareStatement(INSERT_ONE)) {
                statement.setString(1, "new");
                return act.on(statement);
            }
        });
    }

    private static void row(List<Way> ways, String name, OnRows act) {
        way(ways, name, "done", c -> {
            try (Statement statement = c.createStatement(SCROLLS, UPDATABLE);
                    ResultSet rows = statement.executeQuery("select id, name from item")) {
                rows.next();
                act.on(rows);
                return "done";
            }
        });
    }

    private static Object batched(Statement statement, String text) throws SQLException {
        statement.addBatch(text);
        return List.of(statement.executeBatch()[0]).toString();
    }

    private static int update(PreparedStatement statement) throws SQLException {
        try (statement) {
            statement.setString(1, "new");
            return statement.executeUpdate();
        }
    }

    private static ResultSet rows(Connection connection) throws SQLException {
        return connection.createStatement().executeQuery("select * from item");
    }
}
