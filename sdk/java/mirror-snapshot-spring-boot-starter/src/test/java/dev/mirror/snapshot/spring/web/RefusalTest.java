package dev.mirror.snapshot.spring.web;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.SnapshotState;
import dev.mirror.snapshot.guard.WriteRefusedException;
import java.sql.SQLException;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;
import reactor.core.Exceptions;

class RefusalTest {
    private static final WriteRefusedException REFUSED = new WriteRefusedException("a mirror does not write");

    @Test
    void a_refusal_is_found_however_it_is_wrapped() {
        for (Throwable error : new Throwable[] {
            REFUSED,
            new SQLException("x", REFUSED),
            new CompletionException(new IllegalStateException(new SQLException(REFUSED))),
            Exceptions.multiple(new IllegalStateException("other"), new RuntimeException(REFUSED))}) {
            Refusal refusal = Refusal.of(error, null).orElseThrow();
            assertEquals(SnapshotState.UNREAD, refusal.state());
            assertTrue(refusal.text().startsWith("This mirror does not answer: a mirror does not write"), refusal.text());
        }
    }

    @Test
    void other_errors_are_none_and_circles_end() {
        IllegalStateException one = new IllegalStateException("one");
        IllegalStateException two = new IllegalStateException("two", one);
        one.initCause(two);
        for (Throwable error : new Throwable[] {null, new IllegalStateException(), new Exception(new Error()), one}) {
            assertTrue(Refusal.of(error, null).isEmpty());
        }
    }
}
