package dev.mirror.snapshot.guard;

import java.io.OutputStream;
import java.io.Writer;
import java.lang.reflect.Array;
import java.lang.reflect.Method;
import java.sql.Connection;
import org.jspecify.annotations.Nullable;

/** A large object or a reference that stands in the database: some drivers write into it at once. */
final class GuardedLocator extends Guarded<Object> {
    GuardedLocator(JdbcJudge judge, Object raw, Connection connection) {
        super(judge, raw, connection);
    }

    @Override
    @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        String name = method.getName();
        boolean writes = name.startsWith("set") || name.startsWith("truncate");
        String what = method.getDeclaringClass().getSimpleName() + "." + name;
        if (!writes || judge.allows(what)) {
            return pass(proxy, method, args);
        }
        Class<?> type = method.getReturnType();
        if (type == int.class) {
            return args.length > 2 ? args[3] : length(args[1]);
        } else if (type == OutputStream.class) {
            return OutputStream.nullOutputStream();
        } else if (type == Writer.class) {
            return Writer.nullWriter();
        }
        return null;
    }

    /** Of a text or of bytes. */
    private static int length(Object written) {
        return written instanceof String text ? text.length() : Array.getLength(written);
    }
}
