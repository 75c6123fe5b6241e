package dev.mirror.snapshot.store;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PausesTest {
    private static final StoreOptions STORE = StoreOptions.parse("redis://u:secret@h");
    private long now = 1;
    private final Pauses pauses = new Pauses(STORE, () -> now);

    private void pass(long millis) {
        now += TimeUnit.MILLISECONDS.toNanos(millis);
    }

    @Test
    void pauses_grow_from_50_ms_to_2_s_and_begin_anew_after_an_answer() {
        assertNull(pauses.now());
        for (int millis : new int[] {50, 100, 200, 400, 800, 1600, 2000, 2000}) {
            pauses.failed(StoreException.closed(STORE));
            pass(millis - 1);
            assertNotNull(pauses.now(), millis + " ms");
            pass(1);
            assertNull(pauses.now(), millis + " ms");
        }
        pauses.answered();
        pauses.failed(StoreException.closed(STORE));
        pass(50);
        assertNull(pauses.now());
    }

    @Test
    void several_failures_at_once_count_as_one() {
        for (int i = 0; i < 10; i++) {
            pauses.failed(StoreException.closed(STORE));
        }
        pass(50);
        assertNull(pauses.now());
    }

    @Test
    void the_error_says_which_store_and_why_and_no_password() {
        pauses.failed(StoreException.refused(STORE, "WRONGPASS invalid username-password pair or user is disabled."));
        String message = pauses.now().getMessage();
        assertTrue(message.contains("redis://h:6379/0") && message.contains("in 50 ms"), message);
        assertTrue(message.contains("WRONGPASS") && message.contains("check user and password"), message);
        assertTrue(!message.contains("secret"), message);
    }

    @Test
    void an_error_does_not_show_what_the_server_quotes() {
        String answer = "ERR unknown command `SET`, with args beginning with: `snapshot:1` `{\"card\":\"4111\"}`";
        assertEquals("snapshot store redis://h:6379/0: ERR unknown command `SET`", StoreException.refused(STORE, answer).getMessage());
    }
}
