package dev.mirror.snapshot.guard;

import java.lang.reflect.Method;
import java.sql.Connection;
import org.jspecify.annotations.Nullable;

/** What does not write itself, but leads to something that can: a database's metadata, an array. */
final class PassGuarded<T> extends Guarded<T> {
    PassGuarded(JdbcJudge judge, T raw, Connection connection) {
        super(judge, raw, connection);
    }

    @Override
    @Nullable Object answer(Object proxy, Method method, @Nullable Object[] args) throws Throwable {
        return pass(proxy, method, args);
    }
}
