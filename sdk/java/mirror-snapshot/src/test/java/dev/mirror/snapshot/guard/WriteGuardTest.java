package dev.mirror.snapshot.guard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.fail;

import java.io.IOException;
import java.util.List;

import org.junit.jupiter.api.Test;

import dev.mirror.snapshot.guard.WriteGuard.Verdict;

class WriteGuardTest {
    @Test
    void an_allowed_write_is_done() throws IOException {
        NotingGuard guard = new NotingGuard(Verdict.ALLOW);
        assertEquals("sent", guard.guard("kafka", "topic orders", () -> "sent", () -> fail()));
        assertEquals(List.of("kafka: topic orders"), guard.asked);
        assertThrows(IOException.class, () -> guard.guard("http", "POST /", () -> {
            throw new IOException();
        }, () -> "instead"));
    }

    @Test
    void a_recorded_write_is_answered_instead() {
        NotingGuard guard = new NotingGuard(Verdict.RECORD);
        assertEquals("instead", guard.<String, RuntimeException>guard("kafka", "topic orders", () -> fail(), () -> "instead"));
        assertEquals(List.of("kafka: topic orders"), guard.asked);
    }

    @Test
    void a_refused_write_says_what_to_do() {
        NotingGuard guard = new NotingGuard(Verdict.REFUSE);
        WriteRefusedException refused = assertThrows(WriteRefusedException.class,
                () -> guard.<String, RuntimeException>guard("kafka", "topic orders", () -> fail(), () -> fail()));
        assertEquals("a mirror does not write: topic orders; record the write with SnapshotSource.write, or set mirror.snapshot.guard.kafka",
                refused.getMessage());
        assertEquals(List.of("kafka: topic orders"), guard.asked);
    }

    @Test
    void no_verdict_refuses() {
        WriteGuard guard = (kind, what) -> null;
        assertThrows(WriteRefusedException.class, () -> guard.<String, RuntimeException>guard("mongo", "orders", () -> fail(), () -> fail()));
    }
}
