package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.sql.Blob;
import java.sql.CallableStatement;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

import org.junit.jupiter.api.Test;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;

/** All methods of this JDK's JDBC, found by reflection, so that none of a newer one slips through. */
class GuardedMethodsTest {
    private static final String DELETE = "delete from item";

    /** A JDBC to come. */
    private interface NewStatement extends Statement {
        int executeSoon(String text);

        void addBatchLater(String text);
    }

    /** A JDBC to come. */
    private interface NewConnection extends Connection {
        boolean executeAtOnce(String text);
    }

    @Test
    void every_method_that_executes_is_judged() throws Exception {
        Set<String> seen = new TreeSet<>();
        for (Class<?> type : List.of(Statement.class, PreparedStatement.class, CallableStatement.class)) {
            for (Method method : type.getMethods()) {
                if (method.getName().startsWith("execute") && !method.getName().endsWith("Batch") || method.getName().startsWith("addBatch")) {
                    refused(type, method);
                    seen.add(method.getName() + Arrays.toString(method.getParameterTypes()));
                }
            }
        }
        // Statement's 14 with texts, and PreparedStatement's 5 without.
        assertTrue(seen.size() >= 19, seen::toString);
    }

    private static void refused(Class<?> type, Method method) throws Exception {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection();
                Statement statement = statement(type, connection)) {
            List<String> before = database.content();
            Object[] args = Arrays.stream(method.getParameterTypes()).map(GuardedMethodsTest::argument).toArray();
            Throwable thrown = assertThrows(InvocationTargetException.class, () -> method.invoke(statement, args), method::toString).getTargetException();
            assertInstanceOf(WriteRefusedException.class, thrown.getCause(), () -> method + ": " + thrown);
            assertEquals(List.of("jdbc: " + DELETE), database.guard.asked, method::toString);
            for (String batch : List.of("executeBatch", "executeLargeBatch")) {
                type.getMethod(batch).invoke(statement);
            }
            assertEquals(before, database.content(), method::toString);
        }
    }

    private static Statement statement(Class<?> type, Connection connection) throws SQLException {
        if (type == Statement.class) {
            return connection.createStatement();
        }
        return type == PreparedStatement.class ? connection.prepareStatement(DELETE) : connection.prepareCall(DELETE);
    }

    private static Object argument(Class<?> type) {
        if (type == String.class) {
            return DELETE;
        } else if (type == int.class) {
            return Statement.RETURN_GENERATED_KEYS;
        }
        return type == int[].class ? new int[] {1} : new String[] {"ID"};
    }

    @Test
    void methods_of_a_later_jdbc_that_execute_are_refused() throws Throwable {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.RECORD); Connection connection = database.guarded.getConnection();
                Statement statement = connection.createStatement()) {
            Object[] text = {DELETE};
            for (String name : List.of("executeSoon", "addBatchLater")) {
                Method later = NewStatement.class.getMethod(name, String.class);
                SQLException refused = assertThrows(SQLException.class, () -> Proxy.getInvocationHandler(statement).invoke(statement, later, text));
                assertInstanceOf(WriteRefusedException.class, refused.getCause());
            }
            Method later = NewConnection.class.getMethod("executeAtOnce", String.class);
            SQLException refused = assertThrows(SQLException.class, () -> Proxy.getInvocationHandler(connection).invoke(connection, later, text));
            assertInstanceOf(WriteRefusedException.class, refused.getCause());
            assertEquals(3, database.guard.asked.size());
        }
    }

    @Test
    void every_statement_of_a_connection_is_guarded() throws Exception {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection()) {
            List<String> before = database.content();
            int found = 0;
            for (Method method : Connection.class.getMethods()) {
                if (!Statement.class.isAssignableFrom(method.getReturnType())) {
                    continue;
                }
                found++;
                try (Statement statement = (Statement) method.invoke(connection, creation(method))) {
                    assertSame(connection, statement.getConnection());
                    SQLException refused = assertThrows(SQLException.class, () -> statement.execute(DELETE), method::toString);
                    assertInstanceOf(WriteRefusedException.class, refused.getCause(), () -> method + ": " + refused);
                    if (statement instanceof PreparedStatement prepared) {
                        assertInstanceOf(WriteRefusedException.class, assertThrows(SQLException.class, prepared::execute).getCause());
                    }
                }
            }
            assertTrue(found >= 12, "found " + found);
            assertEquals(before, database.content());
        }
    }

    private static Object[] creation(Method method) {
        List<Object> args = new ArrayList<>();
        boolean keys = method.getParameterCount() == 2 && method.getName().equals("prepareStatement");
        List<Integer> numbers = new ArrayList<>(keys ? List.of(Statement.RETURN_GENERATED_KEYS)
                : List.of(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE, ResultSet.HOLD_CURSORS_OVER_COMMIT));
        for (Class<?> type : method.getParameterTypes()) {
            args.add(type == int.class ? numbers.remove(0) : argument(type));
        }
        return args.toArray();
    }

    @Test
    void every_object_of_the_driver_is_handed_out_guarded() throws Exception {
        try (GuardedDatabase database = new GuardedDatabase(Verdict.REFUSE); Connection connection = database.guarded.getConnection();
                PreparedStatement statement = connection.prepareStatement("select tags, picture, name from item");
                ResultSet rows = statement.executeQuery()) {
            rows.next();
            List<Object> objects = new ArrayList<>(List.of(connection, statement, rows, rows.getArray(1), rows.getObject(1), rows.getArray(1).getResultSet(),
                    rows.getBlob(2), rows.getObject(2), rows.getObject(2, Blob.class), rows.getClob(3), rows.getNClob(3), rows.getSQLXML(3),
                    connection.getMetaData(), connection.getMetaData().getTables(null, null, null, null), statement.getGeneratedKeys(), statement.getResultSet()));
            for (Object object : objects) {
                assertTrue(Proxy.isProxyClass(object.getClass()), () -> object.getClass().toString());
                for (Method method : object.getClass().getMethods()) {
                    Class<?> type = method.getReturnType();
                    boolean leads = Connection.class == type || Statement.class == type || ResultSet.class == type;
                    if (leads && method.getParameterCount() == 0) {
                        Object led = answer(object, method);
                        assertTrue(led == null || Proxy.isProxyClass(led.getClass()), method::toString);
                    }
                }
            }
        }
    }

    /** Null where it fails: some methods are for certain statements. */
    private static Object answer(Object object, Method method) throws IllegalAccessException {
        try {
            return method.invoke(object);
        } catch (InvocationTargetException e) {
            return null;
        }
    }
}
