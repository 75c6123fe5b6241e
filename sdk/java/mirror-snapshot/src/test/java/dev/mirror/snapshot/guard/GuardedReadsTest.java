package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

import javax.sql.DataSource;

import org.junit.jupiter.api.Test;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;

/** Reads give what they give without a guard, and the guard is not asked. */
class GuardedReadsTest {
    private interface Read {
        Object on(Connection connection) throws SQLException;
    }

    private static void same(Read read) throws SQLException {
        for (Verdict verdict : Verdict.values()) {
            try (GuardedDatabase database = new GuardedDatabase(verdict)) {
                assertEquals(on(database.raw, read), on(database.guarded, read));
                assertEquals(List.of(), database.guard.asked);
            }
        }
    }

    private static void sameFailure(Read read) throws SQLException {
        same(c -> {
            SQLException failure = assertThrows(SQLException.class, () -> read.on(c));
            return failure.getClass() + failure.getSQLState() + failure.getMessage();
        });
    }

    private static Object on(DataSource dataSource, Read read) throws SQLException {
        try (Connection connection = dataSource.getConnection()) {
            return read.on(connection);
        }
    }

    @Test
    void a_statement_gives_its_rows() throws SQLException {
        same(c -> all(c.createStatement().executeQuery("select * from item order by id")));
        same(c -> all(c.createStatement().executeQuery("with a as (select 1 b) select b from a; ")));
        same(c -> {
            Statement statement = c.createStatement();
            boolean rows = statement.execute("select name from item");
            return rows + all(statement.getResultSet()) + statement.getUpdateCount() + statement.getMoreResults() + statement.getUpdateCount();
        });
        same(c -> all(c.createStatement().executeQuery("explain select 1")));
    }

    @Test
    void a_prepared_statement_gives_its_rows() throws SQLException {
        same(c -> {
            PreparedStatement statement = c.prepareStatement("select name from item where id > ? and name is not null");
            statement.setInt(1, 0);
            String first = all(statement.executeQuery());
            statement.setInt(1, 1);
            return first + all(statement.executeQuery()) + statement.getParameterMetaData().getParameterCount()
                    + statement.getMetaData().getColumnName(1);
        });
        same(c -> all(c.prepareStatement("select id from item", ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE).executeQuery()));
    }

    @Test
    void large_objects_and_arrays_can_be_read() throws SQLException {
        same(c -> {
            ResultSet rows = c.createStatement().executeQuery("select picture, tags, name from item where id = 1");
            rows.next();
            return Arrays.toString(rows.getBlob(1).getBytes(1, 1)) + rows.getBlob("PICTURE").length() + Arrays.toString((Object[]) rows.getArray(2).getArray())
                    + all(rows.getArray(2).getResultSet()) + rows.getClob(3).getSubString(1, 3);
        });
    }

    @Test
    void an_array_can_become_a_parameter() throws SQLException {
        same(c -> {
            PreparedStatement statement = c.prepareStatement("select id from item where name = any(?) or tags = ?");
            statement.setArray(1, c.createArrayOf("varchar", new Object[] {"cup"}));
            ResultSet rows = c.createStatement().executeQuery("select tags from item where id = 1");
            rows.next();
            statement.setArray(2, rows.getArray(1));
            return all(statement.executeQuery());
        });
    }

    @Test
    void transactions_and_settings_pass() throws SQLException {
        same(c -> {
            c.setAutoCommit(false);
            c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            c.releaseSavepoint(c.setSavepoint("a"));
            c.createStatement().execute("set schema public");
            c.createStatement().execute("savepoint b");
            c.commit();
            c.createStatement().execute("rollback");
            c.setReadOnly(true);
            return c.getTransactionIsolation() + c.getSchema() + c.getAutoCommit() + c.isValid(1) + c.nativeSQL("{d '2026-01-01'}");
        });
    }

    @Test
    void metadata_passes() throws SQLException {
        same(c -> all(c.getMetaData().getColumns(null, "PUBLIC", null, null)) + c.getMetaData().getDatabaseProductName());
    }

    @Test
    void the_drivers_exceptions_pass() throws SQLException {
        sameFailure(c -> c.createStatement().executeQuery("select nothing from nowhere"));
        sameFailure(c -> {
            Statement statement = c.createStatement();
            statement.close();
            return statement.executeQuery("select 1");
        });
        sameFailure(c -> {
            ResultSet rows = c.createStatement().executeQuery("select 1");
            return rows.getInt("nothing");
        });
        sameFailure(c -> c.prepareStatement("select ?").executeQuery());
    }

    @Test
    void a_text_is_judged_once_and_few_are_kept() {
        JdbcJudge judge = new JdbcJudge(new NotingGuard(Verdict.REFUSE));
        assertTrue(judge.statement("select 1") == judge.statement("select 1"));
        for (int i = 0; i < 100_000; i++) {
            assertTrue(judge.statement("select " + i).isRead());
        }
        assertTrue(judge.kept() <= 1_000, () -> judge.kept() + " texts");
        String longest = "select '" + "x".repeat(100_000) + "'";
        assertTrue(judge.statement(longest) != judge.statement(longest));
    }

    @Test
    void a_batch_of_reads_is_the_drivers() throws SQLException {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection();
                Statement statement = connection.createStatement()) {
            assertEquals(0, statement.executeBatch().length);
            statement.addBatch("select 1");
            assertThrows(BatchUpdateException.class, statement::executeBatch);
            assertEquals(List.of(), database.guard.asked);
        }
    }

    private static String all(ResultSet rows) throws SQLException {
        List<List<Object>> all = new ArrayList<>();
        ResultSetMetaData columns = rows.getMetaData();
        while (rows.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 1; i <= columns.getColumnCount(); i++) {
                row.add(columns.getColumnLabel(i) + "=" + rows.getString(i));
            }
            all.add(row);
        }
        return all.toString();
    }
}
