package dev.mirror.snapshot;

import dev.mirror.snapshot.document.Document;
import dev.mirror.snapshot.document.Filed;
import dev.mirror.snapshot.document.Read;
import dev.mirror.snapshot.guard.WriteRefusedException;
import dev.mirror.snapshot.store.Waited;
import java.io.IOException;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The mirror's side of one request: the first read waits for the snapshot, and all are answered from it. */
final class Serving extends RequestSnapshot {
    private static final CompletableFuture<Waited> NOT_WAITED =
            CompletableFuture.completedFuture(new Waited.Missing(Duration.ZERO));

    private final @Nullable String namespace;
    /** Null where nobody asks for them. */
    private final @Nullable SendEffects effects;
    /** Begun outside of a request, where there is nothing to serve. */
    private final boolean outside;

    /** Guards all below. */
    private final Object lock = new Object();
    private @Nullable CompletableFuture<Waited> waiting;
    private @Nullable Look look;
    private final BitSet served = new BitSet();
    private SnapshotState state = SnapshotState.UNREAD;

    /** How the look for the snapshot ended. */
    private sealed interface Look {
        record Found(List<Read> reads) implements Look {}

        record Missed(SnapshotState state, String why) implements Look {}
    }

    /** What a read comes to. */
    private sealed interface Answer {
        record Value(@Nullable Object value) implements Answer {}

        record Failed(String error) implements Answer {}

        record Missed(SnapshotState state, String why) implements Answer {}
    }

    Serving(Snapshots snapshots, long at, @Nullable RequestId id, @Nullable String namespace, @Nullable SendEffects effects,
            boolean outside) {
        super(snapshots, at, id);
        this.namespace = namespace;
        this.effects = effects;
        this.outside = outside;
    }

    @Override
    public boolean filesEffects() {
        return effects != null;
    }

    @Override
    public void finish() {
        if (effects != null) {
            effects.finish();
        }
    }

    @Override
    public SnapshotState state() {
        synchronized (lock) {
            return state;
        }
    }

    private void state(SnapshotState reached) {
        synchronized (lock) {
            state = reached;
        }
    }

    @Override
    <T extends @Nullable Object, E extends Exception> T done(Call call, Type type, Reading<? extends T, E> database) throws E {
        String text = call.isWrite() ? judged(call) : asked(call);
        Answer answer = answer(found(), call.filedName(), text, type);
        if (isDoneHere(call, answer)) {
            try (SnapshotContext.Scope doing = doing()) {
                return database.read();
            }
        }
        return given(call, answer, text, type);
    }

    @Override
    <T extends @Nullable Object> CompletionStage<T> doneAsync(Call call, Type type, Supplier<? extends CompletionStage<T>> database) {
        if (call.isWrite()) {
            return stage(() -> judged(call)).thenCompose(
                    text -> afterwards(look -> stage(() -> given(call, answer(look, call.filedName(), text, type), text, type))));
        }
        String text = asked(call);
        return afterwards(look -> {
            Answer answer = answer(look, call.filedName(), text, type);
            if (isDoneHere(call, answer)) {
                try (SnapshotContext.Scope doing = doing()) {
                    return database.get();
                }
            }
            return stage(() -> given(call, answer, text, type));
        });
    }

    /** A write never is. */
    private boolean isDoneHere(Call call, Answer answer) {
        return !call.isWrite() && answer instanceof Answer.Missed && snapshots.onMiss() == OnMiss.DATABASE;
    }

    @Override
    public <T extends @Nullable Object> T recorded(String name, @Nullable Object key, Class<T> type) {
        Call call = Call.read(name, key);
        String text = asked(call);
        return given(call, answer(found(), name, text, type), text, type);
    }

    /** The text of the key of a call that is asked for. What is done inside of another call is a part of that one. */
    private @Nullable String asked(Call call) {
        String text = key(call.name(), call.key());
        if (effects != null && !call.isInside() && !isDoing()) {
            if (call.isWrite()) {
                effects.write(call.name(), text, call.written());
            } else {
                effects.read(call.name(), text);
            }
        }
        return text;
    }

    /** The text of the key of a write that is not refused. */
    private @Nullable String judged(Call call) {
        String text = asked(call);
        if (snapshots.onWrite() == OnWrite.REFUSE) {
            snapshots.count(Outcome.WRITE_REFUSED);
            throw new WriteRefusedException("a mirror does not write: `" + call.name() + "`");
        }
        snapshots.count(Outcome.WRITE_RECORDED);
        return text;
    }

    private @Nullable String key(String name, @Nullable Object key) {
        try {
            return snapshots.codec().key(key);
        } catch (IOException | RuntimeException | StackOverflowError error) {
            // Production could not record it either.
            snapshots.notice(Outcome.NOT_ENCODED, "the key of the read `" + name + "` has no text: use a text, a number or a record");
            return null;
        }
    }

    /** Waits for the snapshot. */
    private Look found() {
        CompletableFuture<Waited> waiting = waiting();
        if (!waiting.isDone() && snapshots.mustNotBlock()) {
            throw new IllegalStateException("this thread must not wait for a snapshot: read with loadAsync, in reactive code with"
                    + " ReactiveSnapshotSource, or give a Mono");
        }
        return found(waiting.join());
    }

    /** Goes on when the snapshot is there: at once on this thread, or later on one that may take its time. */
    private <T extends @Nullable Object> CompletionStage<T> afterwards(Function<Look, CompletionStage<T>> next) {
        CompletableFuture<Waited> waiting = waiting();
        return waiting.isDone() ? next.apply(found(waiting.join()))
                : waiting.thenComposeAsync(waited -> next.apply(found(waited)));
    }

    /** Looks for the snapshot, once for all reads. */
    private CompletableFuture<Waited> waiting() {
        synchronized (lock) {
            if (waiting == null) {
                waiting = id().isPresent() ? snapshots.look(id().get(), namespace) : NOT_WAITED;
            }
            return waiting;
        }
    }

    /** Read by whoever needs it first, and not by the one thread that looks for all. */
    private Look found(Waited waited) {
        synchronized (lock) {
            if (look == null) {
                look = id().isPresent() ? read(waited) : nobody();
            }
            return look;
        }
    }

    private Look nobody() {
        if (outside) {
            return missed(Outcome.NO_REQUEST, SnapshotState.MISSING, "a mirror reads only for a request that was replayed to it: hand the request over"
                    + " to this thread with SnapshotContext.wrap, or set what a miss does");
        }
        return missed(Outcome.MISSING, SnapshotState.MISSING,
                "the request has no `" + Headers.REQUEST_ID + "`: only what the agent replays has a snapshot");
    }

    private Look missed(Outcome outcome, SnapshotState reached, String why) {
        snapshots.count(outcome, why);
        state(reached);
        return new Look.Missed(reached, why);
    }

    private Look read(Waited waited) {
        snapshots.waited(waited.waited());
        if (waited instanceof Waited.Hit hit) {
            return read(hit, Document.read(hit.value()));
        }
        if (waited instanceof Waited.Unavailable unavailable) {
            return missed(Outcome.UNAVAILABLE, SnapshotState.UNAVAILABLE, "the snapshot store does not answer: " + unavailable.why());
        }
        return missed(Outcome.MISSING, SnapshotState.MISSING, "no snapshot came for this request: production must file to the same store by the"
                + " same rules as the agent");
    }

    private Look read(Waited.Hit hit, Filed filed) {
        if (filed instanceof Filed.Stamped stamped) {
            snapshots.count(hit.atOnce() ? Outcome.HIT : Outcome.LATE);
            state(hit.atOnce() ? SnapshotState.HIT : SnapshotState.LATE);
            snapshots.debug("{} for {}: {} reads", state().text(), id().orElse(null), stamped.document().reads().size());
            return new Look.Found(stamped.document().reads());
        }
        if (filed instanceof Filed.Unreadable unreadable) {
            return missed(Outcome.UNREADABLE, SnapshotState.UNREADABLE, "the snapshot is not what this service reads: " + unreadable.why());
        }
        return missed(Outcome.FOUND_COLLIDED, SnapshotState.COLLIDED,
                "several requests had this request's id: the rules must tell them apart");
    }

    /** The first entry of that name and key that was not given out yet. */
    private Answer answer(Look look, String name, @Nullable String key, Type type) {
        if (look instanceof Look.Missed missed) {
            return new Answer.Missed(missed.state, missed.why);
        }
        Read read = next(((Look.Found) look).reads, name, key);
        if (read == null) {
            state(SnapshotState.INCOMPLETE);
            String why = "production did not read `" + name + "` with this key for this request";
            snapshots.count(Outcome.NOT_RECORDED, why);
            return new Answer.Missed(SnapshotState.INCOMPLETE, why);
        }
        if (read.error() != null) {
            return new Answer.Failed(read.error());
        }
        try {
            return new Answer.Value(snapshots.codec().decode(read.value(), type));
        } catch (IOException | RuntimeException | LinkageError error) {
            state(SnapshotState.UNREADABLE);
            String why = "what production recorded for `" + name + "` is not of the type " + type.getTypeName()
                    + ": bring both sides to one form of it, or read it as a class and not as an interface";
            snapshots.count(Outcome.WRONG_TYPE, why);
            return new Answer.Missed(SnapshotState.UNREADABLE, why);
        }
    }

    private @Nullable Read next(List<Read> reads, String name, @Nullable String key) {
        synchronized (lock) {
            for (int at = served.nextClearBit(0); at < reads.size(); at = served.nextClearBit(at + 1)) {
                Read read = reads.get(at);
                if (read.name().equals(name) && read.key().equals(key)) {
                    served.set(at);
                    return read;
                }
            }
            return null;
        }
    }

    /** What no snapshot answers is answered by a fallback where there is one; a write by nobody, since it was not done. */
    @SuppressWarnings("unchecked") // The service says so.
    private <T extends @Nullable Object> T given(Call call, Answer answer, @Nullable String key, Type type) {
        SnapshotFallback fallback = snapshots.onMiss() == OnMiss.FALLBACK && !call.isWrite() ? snapshots.fallback() : null;
        return answer instanceof Answer.Missed && fallback != null ? (T) fallback.answer(call.name(), key, type) : given(answer);
    }

    @SuppressWarnings("unchecked") // The codec gave it for this type.
    private static <T extends @Nullable Object> T given(Answer answer) {
        if (answer instanceof Answer.Value value) {
            return (T) value.value;
        }
        if (answer instanceof Answer.Failed failed) {
            throw Serving.<RuntimeException>thrown(RecordedError.exception(failed.error));
        }
        Answer.Missed missed = (Answer.Missed) answer;
        throw new SnapshotMissException(missed.state, missed.why);
    }

    /** Production's read threw it, so the read's callers expect it, checked or not. */
    @SuppressWarnings("unchecked")
    private static <E extends Exception> E thrown(Exception error) throws E {
        throw (E) error;
    }

    private static <T> CompletableFuture<T> stage(Supplier<T> work) {
        try {
            return CompletableFuture.completedFuture(work.get());
        } catch (Exception error) {
            return CompletableFuture.failedFuture(error);
        }
    }
}
