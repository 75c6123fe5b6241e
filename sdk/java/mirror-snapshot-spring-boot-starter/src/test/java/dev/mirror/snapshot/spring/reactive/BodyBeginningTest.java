package dev.mirror.snapshot.spring.reactive;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.core.io.buffer.DataBufferUtils;
import org.springframework.core.io.buffer.DefaultDataBufferFactory;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;

class BodyBeginningTest {
    private static final DefaultDataBufferFactory BUFFERS = DefaultDataBufferFactory.sharedInstance;

    /** A body that comes when it is told to, and sees what is asked of it. */
    private static final class Body extends Flux<DataBuffer> implements Subscription {
        private CoreSubscriber<? super DataBuffer> reader;
        private long asked;
        private boolean cancelled;

        @Override
        public void subscribe(CoreSubscriber<? super DataBuffer> actual) {
            reader = actual;
            actual.onSubscribe(this);
        }

        @Override
        public void request(long n) {
            asked = asked + n < 0 ? Long.MAX_VALUE : asked + n;
        }

        @Override
        public void cancel() {
            cancelled = true;
        }

        private void comes(String text) {
            assertTrue(asked > 0, "nobody asked");
            asked = asked == Long.MAX_VALUE ? asked : asked - 1;
            reader.onNext(piece(text));
        }
    }

    private static DataBuffer piece(String text) {
        return BUFFERS.wrap(text.getBytes(StandardCharsets.UTF_8));
    }

    private static String text(Flux<DataBuffer> body) {
        return DataBufferUtils.join(body).map(all -> all.toString(StandardCharsets.UTF_8)).defaultIfEmpty("").block();
    }

    private static ReadBody[] reading(Body body, int most) {
        ReadBody[] read = new ReadBody[1];
        BodyBeginning.read(body, most).subscribe(done -> read[0] = done);
        return read;
    }

    @Test
    void a_body_up_to_the_limit_is_read_whole_and_can_be_read_again_and_again() {
        Body body = new Body();
        ReadBody[] read = reading(body, 5);
        body.comes("ab");
        body.comes("cde");
        assertNull(read[0]);
        body.reader.onComplete();
        assertArrayEquals("abcde".getBytes(StandardCharsets.UTF_8), read[0].whole());
        assertEquals("abcde", text(read[0].again(BUFFERS)));
        assertEquals("abcde", text(read[0].again(BUFFERS)));
        read[0].discard();
        assertFalse(body.cancelled);
    }

    @Test
    void of_a_longer_body_nothing_more_is_asked_until_somebody_wants_it() {
        Body body = new Body();
        ReadBody[] read = reading(body, 3);
        body.comes("ab");
        body.comes("cd");
        assertNull(read[0].whole());
        assertEquals(0, body.asked);
        List<String> pieces = new ArrayList<>();
        BaseSubscriber<DataBuffer> service = new BaseSubscriber<>() {
            @Override
            protected void hookOnSubscribe(Subscription subscription) {}

            @Override
            protected void hookOnNext(DataBuffer piece) {
                pieces.add(piece.toString(StandardCharsets.UTF_8));
            }

            @Override
            protected void hookOnComplete() {
                pieces.add("end");
            }
        };
        read[0].again(BUFFERS).subscribe(service);
        assertEquals(List.of(), pieces);
        service.request(1);
        assertEquals(List.of("abcd"), pieces);
        assertEquals(0, body.asked);
        service.request(2);
        body.comes("e");
        body.comes("f");
        assertEquals(0, body.asked);
        body.reader.onComplete();
        assertEquals(List.of("abcd", "e", "f", "end"), pieces);
        assertThrows(IllegalStateException.class, () -> text(read[0].again(BUFFERS)));
    }

    @Test
    void an_end_that_comes_before_anybody_reads_on_is_kept() {
        Body body = new Body();
        ReadBody[] read = reading(body, 3);
        body.comes("abcd");
        body.reader.onComplete();
        assertEquals("abcd", text(read[0].again(BUFFERS)));
        Body failing = new Body();
        ReadBody[] failed = reading(failing, 3);
        failing.comes("abcd");
        failing.reader.onError(new IllegalStateException("the client went away"));
        assertThrows(IllegalStateException.class, () -> text(failed[0].again(BUFFERS)));
        Body early = new Body();
        ReadBody[] none = reading(early, 3);
        early.comes("a");
        early.reader.onError(new IllegalStateException("the client went away"));
        assertNull(none[0].whole());
        assertEquals("the client went away",
                assertThrows(IllegalStateException.class, () -> text(none[0].again(BUFFERS))).getMessage());
    }

    @Test
    void what_nobody_wants_is_cancelled() {
        Body body = new Body();
        ReadBody[] read = reading(body, 1);
        body.comes("abc");
        read[0].discard();
        assertTrue(body.cancelled);
        Body waiting = new Body();
        Disposable request = BodyBeginning.read(waiting, 10).subscribe();
        request.dispose();
        assertTrue(waiting.cancelled);
        Body ended = new Body();
        ReadBody[] all = reading(ended, 1);
        ended.comes("abc");
        ended.reader.onComplete();
        all[0].discard();
        assertFalse(ended.cancelled);
    }

    @Test
    void any_body_in_any_pieces_comes_out_as_it_went_in() {
        for (int seed = 0; seed < 500; seed++) {
            Random random = new Random(seed);
            StringBuilder sent = new StringBuilder();
            List<DataBuffer> pieces = new ArrayList<>();
            for (int i = random.nextInt(10); i > 0; i--) {
                String piece = "x".repeat(random.nextInt(8)) + i;
                sent.append(piece);
                pieces.add(piece(piece));
            }
            int most = random.nextInt(40);
            ReadBody read = BodyBeginning.read(Flux.fromIterable(pieces), most).block();
            assertEquals(sent.length() <= most, read.whole() != null, "seed " + seed);
            assertEquals(sent.toString(), text(read.again(BUFFERS)), "seed " + seed);
        }
    }
}
