package dev.mirror.snapshot.rules;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.mirror.snapshot.RequestId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.Test;

class OccurrencesTest {
    private static final RequestId A = new RequestId("a");
    private static final RequestId B = new RequestId("b");

    @Test
    void each_id_is_counted_for_a_while() {
        Occurrences occurrences = new Occurrences(Duration.ofSeconds(10), 100);
        assertEquals(0, occurrences.count(A, 0));
        assertEquals(1, occurrences.count(A, 1_000));
        assertEquals(0, occurrences.count(B, 1_000));
        assertEquals(2, occurrences.count(A, 10_000));
        assertEquals(0, occurrences.count(A, 10_001));
        assertEquals(1, occurrences.count(B, 10_001));
        assertEquals(1, occurrences.count(A, 10_002));
    }

    @Test
    void a_clock_that_goes_back_forgets_nothing() {
        Occurrences occurrences = new Occurrences();
        assertEquals(0, occurrences.count(A, 1_000_000));
        assertEquals(1, occurrences.count(A, 0));
    }

    @Test
    void the_oldest_of_too_many_is_forgotten() {
        Occurrences occurrences = new Occurrences(Duration.ofSeconds(10), 1_000);
        for (int n = 0; n < 5_000; n++) {
            assertEquals(0, occurrences.count(new RequestId("id-" + n), n));
        }
        assertEquals(1_000, occurrences.size());
        assertEquals(1, occurrences.count(new RequestId("id-4900"), 5_000));
        assertEquals(0, occurrences.count(new RequestId("id-3000"), 5_000));
    }

    @Test
    void what_a_rush_left_is_forgotten_little_by_little_and_counts_no_more() {
        Occurrences occurrences = new Occurrences(Duration.ofSeconds(10), 1_000);
        for (int n = 0; n < 500; n++) {
            occurrences.count(new RequestId("id-" + n), 0);
        }
        assertEquals(0, occurrences.count(new RequestId("id-499"), 20_000));
        assertEquals(1, occurrences.count(new RequestId("id-499"), 20_000));
        for (int n = 0; n < 500; n++) {
            occurrences.count(A, 20_000);
        }
        assertEquals(2, occurrences.size());
    }

    @Test
    void threads_never_get_one_number_twice() throws InterruptedException {
        Occurrences occurrences = new Occurrences();
        var numbers = ConcurrentHashMap.<Integer>newKeySet();
        List<Thread> threads = new ArrayList<>();
        for (int thread = 0; thread < 4; thread++) {
            threads.add(new Thread(() -> {
                for (int n = 0; n < 10_000; n++) {
                    numbers.add(occurrences.count(A, 0));
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        assertEquals(40_000, numbers.size());
        assertTrue(numbers.contains(0) && numbers.contains(39_999));
    }
}
